# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that must not be attached."""

import time

from harness import Disk, case

from lab.load import fio

# Seconds after which a refusal has to be there, on a machine of ordinary speed.
LIMIT = 1.0


def refused(env, guest, disk):
    """Try to attach a disk; returns what was said, after checks that hold for every refusal."""
    begun = time.monotonic()
    result = guest.attach(disk, check=False)
    # On the lab xl's own start and end take seconds; there the bench measures the broker.
    seconds = getattr(result, "refused_after", None) or time.monotonic() - begun
    env.note("seconds", round(seconds, 2))
    said = result.err + result.out
    env.check(result.rc != 0, f"the attach succeeded: {said}")
    env.check(disk.path in said, f"the message does not name {disk.path}: {said}")
    limit = LIMIT * getattr(env, "time_scale", 1)
    env.check(seconds < limit, f"refused after {seconds:.2f} s, not within {limit:g} s")
    gone = guest.run(f"test ! -e /dev/{disk.vdev}", check=False).rc == 0
    env.check(gone, f"/dev/{disk.vdev} exists in the guest")
    return said


@case(benches="lab uml", scripts="stock", guests="pv", more_guests="pvh", timeout=180)
def second_writer_refused(env):
    """A second writer of an image is refused with the image's path and its holder."""
    image = env.image("8M")
    first = env.guest(disks=[image.disk("xvda")])
    second = env.guest()
    said = refused(env, second, image.disk("xvdb"))
    env.check(
        f"domain {first.domid}" in said or f"vbd-{first.domid}-" in said,
        f"the message does not name domain {first.domid}: {said}",
    )
    first.run(fio("xvda", size="512k"))


@case(benches="lab uml", scripts="stock", guests="", more_guests="pv pvh", timeout=120)
def missing_device_refused(env):
    """A path that is not there is refused with its name; the guest is not disturbed."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")])
    refused(env, guest, Disk("/dev/no-such-device", "xvdb"))
    refused(env, guest, Disk("/var/no-such-image.img", "xvdc"))
    guest.run(fio("xvda", size="512k"))
