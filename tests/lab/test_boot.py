# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Debian guest boots from its disk."""

from harness import Disk, case

from lab.load import fio


# In a whole check the agent's case boots it.
@case(
    benches="lab",
    guests="",
    more_guests="pv pvh",
    image="debian",
    scripts="stock",
    timeout=180,
)
def boot_from_vbd(env):
    """Debian boots from ext4 by LABEL on a vbd, is shut down by the host, and left clean."""
    guest = env.guest(disks=[Disk("/dev/vdc", "xvda")], image="debian")
    env.note("boot_seconds", round(guest.boot_seconds, 1))
    root = guest.run("findmnt -no SOURCE /").out.strip()
    env.check(root == "/dev/xvda", f"the root is on {root}")
    driver = guest.run("basename $(readlink /sys/bus/xen/devices/vbd-51712/driver)").out.strip()
    env.check(driver == "xen-vbd", f"the disk is driven by {driver}")
    guest.run("systemctl is-system-running --wait", check=False, timeout=120)
    guest.run("echo written >/root/file && sync")
    guest.shutdown(timeout=60)
    fsck = env.host.run("e2fsck -fn /dev/vdc", check=False, timeout=60)
    env.check(fsck.rc == 0 and "recovering" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")


@case(benches="lab", guests="hvm", timeout=600, slow=True)
def hvm_guest(env):
    """QEMU emulates the disk until the guest has unplugged that, then it is ours alone."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvda")], config='vga = "none"')
    env.note("boot_seconds", round(guest.boot_seconds, 1))
    guest.run(fio("xvda", size="512k"))
    second = env.image("8M")
    guest.attach(second.disk("xvdb"))
    guest.run(fio("xvda", "xvdb", size="512k"))
    # The lock of QEMU that keeps other writers away: the backend has it on both.
    for path in (image.path, second.path):
        found = env.host.run(f"grep -c \":$(stat -c %i {path}) 201 201$\" /proc/locks", check=False)
        env.check(found.out.strip() == "1", f"{path}: {found.out} locks")
    guest.detach("xvdb")
    guest.shutdown()
