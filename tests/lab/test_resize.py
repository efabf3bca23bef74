# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk whose image changes its size."""

from harness import case

from lab.load import VerifiedIo


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=120)
def resize(env):
    """A grown image is seen by the guest without a reboot, under I/O, and is usable to its end."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvdb")])
    load = VerifiedIo(guest, "xvdb")
    image.resize("16M")
    env.await_(lambda: guest.sectors("xvdb") == 32768, "32768 sectors", timeout=10)
    load.stop()
    guest.run("dd if=/dev/urandom of=/dev/xvdb bs=64k seek=240 count=16 oflag=direct 2>&1")
