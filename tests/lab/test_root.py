# SPDX-License-Identifier: GPL-2.0-or-later
"""Roots that the initramfs finds by other names than a label, on partitions and on LVM."""

from harness import case

from lab.images import roots


def boot(env, root, which, source):
    """Boot from one of the two roots. root: the kernel's parameter; source: what is mounted."""
    image = env.image("1M")
    env.host.run(f"cp --sparse=always /lab/roots-disk.img {image.path}", timeout=60)
    guest = env.guest(disks=[image.disk("xvda")], image="roots", append=f"root={root} ro")
    env.note("boot_seconds", round(guest.boot_seconds, 1))
    found = guest.run("cat /etc/root").out.strip()
    env.check(found == which, f"booted from {found}")
    mounts = guest.run("awk '$2 == \"/\" {print $1, $3}' /proc/mounts").out.split("\n")
    env.check(f"{source} ext4" in mounts, f"the root is {mounts}")
    driver = guest.run("basename $(readlink /sys/bus/xen/devices/vbd-51712/driver)").out.strip()
    env.check(driver == "xen-vbd", f"the disk is driven by {driver}")
    loaded = guest.run("cut -d' ' -f1 /proc/modules").out.split()
    env.check("xen_blkfront" not in loaded, "xen-blkfront is loaded")
    env.check(guest.run("test -e /run/xenpv/fallback", check=False).rc != 0, "it fell back")
    guest.run("echo written >/root/file && sync")
    guest.shutdown()
    return image


@case(benches="lab", image="roots", guests="pvh", more_guests="pv")
def root_by_partuuid(env):
    """The root is on a partition of a GPT, found by the partition's UUID."""
    image = boot(env, f"PARTUUID={roots.PARTITION}", "partition", "/dev/xvda1")
    offset = f"{image.path}?offset={roots.MIB}"
    fsck = env.host.run(f"e2fsck -fn {offset}", check=False, timeout=60)
    env.check(fsck.rc == 0 and "recovering" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")


@case(benches="lab", image="roots", guests="pv", more_guests="pvh")
def root_by_uuid(env):
    """The same root, found by the UUID of its file system."""
    boot(env, f"UUID={roots.UUIDS['partition']}", "partition", "/dev/xvda1")


@case(benches="lab", image="roots", guests="pv pvh")
def root_on_lvm(env):
    """The root is a logical volume on the other partition."""
    device = f"/dev/mapper/{roots.GROUP}-{roots.VOLUME}"
    boot(env, device, "volume", device)
