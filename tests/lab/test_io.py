# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads, writes, flush and discard."""

from harness import case

from lab.load import fio


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=300)
def sixteen_disks(env):
    """Sixteen disks are written and verified by fio in parallel."""
    names = [f"xvd{letter}" for letter in "abcdefghijklmnop"]
    guest = env.guest(disks=[env.image("4M", name).disk(name) for name in names])
    guest.run(fio(*names, size="512k", depth=4), timeout=120)


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=120)
def read_only(env):
    """A disk attached "r" is read-only in the guest, and a write to it fails."""
    image = env.image("4M", content=b"read only" * 100)
    guest = env.guest(disks=[image.disk("xvdb", mode="r")])
    env.check(guest.run("cat /sys/block/xvdb/ro").out.strip() == "1", "/sys/block/xvdb/ro is not 1")
    read = guest.run("dd if=/dev/xvdb bs=512 count=1 2>/dev/null | head -c 9").out
    env.check(read == "read only", f"read {read!r}")
    write = guest.run("dd if=/dev/zero of=/dev/xvdb bs=512 count=1 oflag=direct", check=False)
    env.check(write.rc != 0, "a write to a read-only disk succeeded")
    again = guest.run("dd if=/dev/xvdb bs=512 count=1 iflag=direct 2>/dev/null | head -c 9").out
    env.check(again == "read only", f"after the write: {again!r}")


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=120)
def discard(env):
    """Discarded blocks read as zeroes and take no space in the image file."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvdb")])
    limit = int(guest.run("cat /sys/block/xvdb/queue/discard_max_bytes").out)
    env.check(limit > 0, "the disk does not offer discard")
    guest.run("dd if=/dev/urandom of=/dev/xvdb bs=64k count=64 oflag=direct 2>&1")
    full = allocated(env, image)
    guest.run("blkdiscard -o 1048576 -l 2097152 /dev/xvdb")
    env.check(
        full - allocated(env, image) >= 2 << 20,
        f"{full} bytes before, {allocated(env, image)} after a discard of 2 MiB",
    )
    zeroes = guest.run(
        "dd if=/dev/xvdb bs=64k skip=16 count=32 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c"
    )
    env.check(int(zeroes.out) == 0, f"{zeroes.out.strip()} bytes are not zero after the discard")


def allocated(env, image):
    """Bytes that the image takes on the host's disk."""
    return int(env.host.run(f"sync {image.path}; stat -c %b {image.path}").out) * 512


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=120)
def flush_survives_destroy(env):
    """What the guest has synced is in the image after the guest is destroyed at once."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvdb")])
    # Without O_DIRECT: only fsync sends the data to the disk.
    written = guest.run(
        "dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null && "
        "dd if=/tmp/data of=/dev/xvdb bs=64k conv=fsync 2>/dev/null && md5sum </tmp/data"
    ).out.split()[0]
    guest.destroy()
    kept = env.host.run(f"head -c 2097152 {image.path} | md5sum").out.split()[0]
    env.check(kept == written, f"the image has {kept}, the guest synced {written}")
