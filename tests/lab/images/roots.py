# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk with two small roots, and the initramfs that a Debian guest would have for them.

The initramfs is Debian's own, with what our packages put into it, and with lvm2. The disk has a
GPT: the first partition is a root, the second holds a volume group with another one in it. Each
root has busybox and labd, and says in /etc/root which one it is.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from . import debian, kernel, programs
from .cache import ROOT, cached, file_hash, run
from .dom0 import SUITE, bootstrap, install_modules, make_ext4

PACKAGES = "initramfs-tools udev kmod lvm2 zstd e2fsprogs".split()
# The modules of lvm2's own hook, and what the roots need.
MODULES = "ext4 crc32c_generic xen-blkfront xen-netfront dm-mod dm-snapshot dm-mirror".split()

MIB = 1 << 20
ROOT_SIZE = 16 * MIB
PARTITION = "6c616200-0000-4000-8000-000000000001"
GROUP, VOLUME = "xenpvlab", "root"
# By the word that /etc/root has: UUID of its file system.
UUIDS = {
    "partition": "6c616200-0000-4000-8000-000000000002",
    "volume": "6c616200-0000-4000-8000-000000000003",
}

# What an administrator would have after xenpv-setup; the hook looks whether it is there.
BLACKLIST = "blacklist xen-blkfront\nblacklist xen-netfront\n"
FILES = debian.INITRAMFS | {
    "etc/initramfs-tools/modules": "crc32c_generic\next4\n",
    "etc/modprobe.d/xenpv.conf": BLACKLIST,
    # Any disk may have the group, whatever list of devices there is.
    "etc/lvm/lvmlocal.conf": "devices {\n\tuse_devicesfile = 0\n}\n",
}

# /dev, /proc, /sys and /run come from the initramfs.
RC = """\
#!/bin/sh
mount -t tmpfs tmp /tmp
mount -o remount,rw /
hostname "$(sed -n 's/.*lab\\.name=\\([^ ]*\\).*/\\1/p' /proc/cmdline)"
ip link set lo up
"""
INITTAB = """\
::sysinit:/etc/rc
::respawn:/sbin/labd
::shutdown:/bin/umount -a -r
"""

# In a mount namespace of its own, so that nothing stays mounted.
CHROOT = """\
for name in proc sys; do mount --bind /$name "$1/$name"; done
exec chroot "$@"
"""


def _sources():
    """What our packages put into an initramfs, and the modules."""
    folders = "initramfs", "packaging/setup", "packaging/udev", "packaging/config"
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [ROOT / "packaging/install-files", ROOT / "packaging/scripts/xenpv-vdev"]
    return {str(path.relative_to(ROOT)): file_hash(path) for path in sorted(files)}


def rootfs():
    inputs = {"suite": SUITE, "packages": PACKAGES, "v": 1}
    build = cached("roots-rootfs", inputs, lambda out: bootstrap(out / "root.tar", PACKAGES))
    return build / "root.tar"


def build(modules):
    """The directory with "initramfs" and "disk.raw". modules: our files, as for debian.disk()."""
    linux = kernel.installed()
    inputs = {
        "rootfs": rootfs().parent.name,
        "kernel": file_hash(linux.vmlinuz),
        "labd": file_hash(programs.labd()),
        "modules": {path.name: file_hash(path) for path in modules},
        "sources": _sources(),
        "own files": [FILES, RC, INITTAB, UUIDS, PARTITION, MODULES],
        "v": 1,
    }
    return cached("roots", inputs, lambda out: _build(out, linux, modules))


def _build(out, linux, modules):
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        root.chmod(0o755)
        run("tar", "-xf", rootfs(), "-C", root, "--numeric-owner")
        run(ROOT / "packaging/install-files", root)
        debian.write_files(root, FILES)
        install_modules(root, linux, MODULES)
        updates = root / "lib/modules" / linux.release / "updates/xenpv"
        updates.mkdir(parents=True)
        for path in modules:
            if "/kernel/" not in str(path):
                shutil.copy(path, updates)
        run("depmod", "-b", root, linux.release)
        shutil.copy(f"/boot/config-{linux.release}", root / "boot")
        run("chroot", root, "mkinitramfs", "-o", "/initramfs", linux.release)
        shutil.move(root / "initramfs", out / "initramfs")
        _make_disk(out, root)


def _make_root(out, which, size):
    """An image of one of the two roots."""
    image = out / f"{which}.raw"
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in "dev proc sys run tmp bin sbin etc root mnt".split():
            (root / name).mkdir()
        shutil.copy(programs.BUSYBOX, root / "bin/busybox")
        shutil.copy(programs.labd(), root / "sbin/labd")
        for name in programs.busybox_applets():
            (root / "bin" / name).symlink_to("/bin/busybox")
        for name in ("init", "poweroff", "reboot", "modprobe"):
            (root / "sbin" / name).symlink_to("/bin/busybox")
        passwd = "root::0:0:root:/root:/bin/sh\n"
        files = {"etc/rc": RC, "etc/inittab": INITTAB, "etc/passwd": passwd}
        debian.write_files(root, files | {"etc/root": f"{which}\n"})
        (root / "etc/rc").chmod(0o755)
        make_ext4(root, image, str(size), which)
        run("tune2fs", "-U", UUIDS[which], image)
    return image


def _make_disk(out, root):
    disk = out / "disk.raw"
    group_size = ROOT_SIZE + 8 * MIB
    with open(disk, "wb") as stream:
        stream.truncate(MIB + ROOT_SIZE + group_size + MIB)
    table = (
        f"label: gpt\nstart=1MiB, size={ROOT_SIZE // MIB}MiB, type=linux, uuid={PARTITION}\n"
        f"size={group_size // MIB}MiB, type=lvm\n"
    )
    run("sh", "-c", f"printf '{table}' | sfdisk -q {disk}")
    _put(_make_root(out, "partition", ROOT_SIZE), disk, MIB)
    with _loop(disk, MIB + ROOT_SIZE, group_size) as device:
        start, size = _make_volume(root, device)
    _put(_make_root(out, "volume", size), disk, MIB + ROOT_SIZE + start)


def _put(image, disk, offset):
    run("dd", f"if={image}", f"of={disk}", "bs=64k", f"seek={offset}", "oflag=seek_bytes",
        "conv=notrunc,sparse", "status=none")  # fmt: skip
    image.unlink()


@contextlib.contextmanager
def _loop(path, offset, size):
    """A loop device of a part of a file."""
    device = run(
        "losetup", "--find", "--show", "--offset", offset, "--sizelimit", size, path
    ).strip()  # fmt: skip
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


def _make_volume(root, device):
    """A group with a volume on a block device. Returns offset and size of the volume in bytes.

    Debian's tools in root do it; they see no other device, and the machine's device mapper is
    not asked, as the volume is not activated.
    """
    name = "/dev/xenpv-lab"
    os.mknod(f"{root}{name}", stat.S_IFBLK | 0o600, device.stat().st_rdev)
    settings = (
        f'devices {{ scan=["/dev"] filter=["a|^{name}$|","r|.*|"] obtain_device_list_from_udev=0 '
        'external_device_info_source="none" } activation { udev_sync=0 udev_rules=0 }'
    )

    def lvm(*words):
        return run("unshare", "--mount", "sh", "-euc", CHROOT, "sh", root,
                   "lvm", *words, "--driverloaded", "n", "--config", settings)  # fmt: skip

    lvm("vgcreate", "-q", GROUP, name)
    lvm("lvcreate", "-q", "--activate", "n", "--zero", "n", "--wipesignatures", "n",
        "--extents", str(ROOT_SIZE // (4 * MIB)), "--name", VOLUME, GROUP)  # fmt: skip
    asked = "--noheadings --nosuffix --units b -o".split()
    start = int(lvm("pvs", *asked, "pe_start").split()[-1])
    return start, int(lvm("lvs", *asked, "lv_size").split()[-1])
