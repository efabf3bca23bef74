# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench itself: the Xen shim, the hub and xenstored, with the stock frontend."""

from harness import case


@case(benches="uml", frontend="xen-blkfront", backend="testback", kernels="plain debug")
def shim_reads_and_writes(env):
    """The stock frontend on the shim: data written is in the image and comes back."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvda")])
    guest.run("dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null")
    guest.run("dd if=/tmp/data of=/dev/xvda bs=64k oflag=direct 2>/dev/null")
    guest.run("echo 3 >/proc/sys/vm/drop_caches; cmp -n 4194304 /tmp/data /dev/xvda")
    digest = guest.run("sha256sum </tmp/data").out.split()[0]
    ours = env.host.run(f"head -c 4194304 {image.path} | sha256sum").out.split()[0]
    env.check(digest == ours, "the image does not hold what the guest wrote")
