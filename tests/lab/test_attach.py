# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that come and go."""

from harness import case

from lab.load import VerifiedIo, fio


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=300)
def attach_detach(env):
    """Five times a disk is attached, used and detached beside a busy one; no grant is left."""
    steady, moving = env.image("16M"), env.image("16M")
    guest = env.guest()
    before = guest.grants()
    guest.attach(steady.disk("xvda"))
    load = VerifiedIo(guest, "xvda")
    for _ in range(5):
        guest.attach(moving.disk("xvdb"))
        guest.run(fio("xvdb", size="512k"))
        guest.detach("xvdb")
    load.stop()
    guest.detach("xvda")
    env.await_(lambda: guest.grants() <= before, f"{before} grants as at the start", timeout=5)


@case(benches="lab uml", guests="pvh", more_guests="pv", timeout=120)
def unplug_under_io(env):
    """A disk that is written to is pulled: the writer gets an error, the guest lives on."""
    guest = env.guest()
    before = guest.grants()
    guest.attach(env.image("16M").disk("xvdb"))
    env.allow_log(r"I/O error, dev xvdb|Buffer I/O error on dev xvdb")
    writer = guest.start("exec dd if=/dev/zero of=/dev/xvdb bs=64k count=100000 oflag=direct 2>&1")
    env.await_(lambda: int(guest.run("cut -d' ' -f7- /sys/block/xvdb/stat | awk '{print $1}'").out)
               >= 0, "the disk to be there")
    guest.detach("xvdb", timeout=60)
    env.check(writer.wait(30).rc != 0, "the writer did not notice that its disk is gone")
    env.await_(lambda: guest.grants() <= before, f"{before} grants as at the start", timeout=5)
