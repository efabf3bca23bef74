# SPDX-License-Identifier: GPL-2.0-or-later
"""dom0: Debian 12 with systemd and the Xen tools, trimmed to boot fast under emulation."""

import shutil
import tempfile
from pathlib import Path

from . import kernel, programs
from .cache import cached, file_hash, run
from .cpio import Cpio

SUITE = "bookworm"
PACKAGES = (
    "systemd systemd-sysv udev kmod e2fsprogs fio xen-utils-4.17 xenstore-utils qemu-system-xen "
    "iproute2 procps util-linux mount strace liburing2 libseccomp2 libsystemd0 libjson-c5 libcap2 "
    "libmnl0 python3"
).split()

# What dom0 itself, its storage and its backends use; each with its dependencies.
MODULES = (
    "virtio_pci virtio_blk virtio_console ext4 crc32c_generic libcrc32c loop nbd tun bridge veth "
    "xen-privcmd xenfs xen-evtchn xen-gntdev xen-gntalloc xen-acpi-processor xen-blkback "
    "xen-netback xen-blkfront dm-mod dm-snapshot null_blk dummy 8021q bonding "
    "sch_ingress cls_bpf"
).split()

# The lab's quick hotplug scripts, each with the contract of a stock one.
HOTPLUG = ("block-fast", "vif-fast")

BOOT_MODULES = "virtio_pci virtio_blk virtio_console crc32c_generic ext4".split()

MASKED = (
    "e2scrub_reap.service systemd-pstore.service apt-daily.timer apt-daily-upgrade.timer "
    "dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-random-seed.service "
    "systemd-update-utmp.service systemd-update-utmp-runlevel.service getty@tty1.service "
    "systemd-timesyncd.service systemd-machine-id-commit.service xendomains.service "
    "systemd-tmpfiles-clean.timer remote-fs.target systemd-modules-load.service "
    "systemd-logind.service systemd-user-sessions.service dev-hugepages.mount dev-mqueue.mount "
    "sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount "
    "systemd-journal-flush.service systemd-boot-system-token.service modprobe@drm.service "
    "systemd-udev-settle.service systemd-sysusers.service getty-static.service "
    "modprobe@configfs.service modprobe@dm_mod.service modprobe@loop.service "
    "modprobe@efi_pstore.service modprobe@fuse.service kmod-static-nodes.service "
    "sys-kernel-config.mount systemd-ask-password-console.path systemd-ask-password-wall.path"
).split()

FILES = {
    "etc/hostname": "dom0\n",
    "etc/hosts": "127.0.0.1 localhost dom0\n",
    "etc/machine-id": "6c61620000000000000000000000d0a0\n",
    "etc/modprobe.d/xenpv-lab.conf": "blacklist xen-blkback\nblacklist xen-netback\n",
    "etc/default/xen": "XENCONSOLED_ARGS=--log=all\n",
    "etc/xen/xl.conf": 'autoballoon="off"\n',
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nAudit=no\n",
    "etc/systemd/system.conf.d/lab.conf": (
        "[Manager]\nDefaultTimeoutStartSec=300s\nDefaultTimeoutStopSec=60s\n"
    ),
    "etc/systemd/system/labd.service": """\
[Unit]
Description=The lab's control channel
Requires=dev-virtio\\x2dports-lab.device
After=dev-virtio\\x2dports-lab.device xen.service

[Service]
ExecStart=/usr/local/sbin/labd /dev/virtio-ports/lab
KillMode=process
OOMScoreAdjust=-1000
TasksMax=infinity

[Install]
WantedBy=multi-user.target
""",
    # A native unit, so that no generator has to run at boot.
    "etc/systemd/system/xen.service": """\
[Unit]
Description=Xen daemons
After=local-fs.target systemd-udevd.service

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
ExecStart=/etc/init.d/xen start
ExecStop=/etc/init.d/xen stop

[Install]
WantedBy=multi-user.target
""",
    # Only what dom0 waits for: the full coldplug takes ten emulated seconds.
    "etc/systemd/system/systemd-udev-trigger.service.d/lab.conf": (
        "[Service]\nExecStart=\nExecStart=udevadm trigger --type=devices --action=add "
        "--subsystem-match=block --subsystem-match=misc --subsystem-match=tty "
        "--subsystem-match=virtio-ports\n"
    ),
    "etc/systemd/system/serial-getty@hvc0.service.d/lab.conf": (
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I "
        "$TERM\n"
    ),
}

INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules); do
	/bin/busybox insmod "/$module"
done
/bin/busybox mount -t ext4 -o noatime /dev/vda /root || {
	echo "lab: cannot mount dom0's root"
	/bin/busybox poweroff -f
}
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


def rootfs():
    """A tar of the Debian root file system (as root; a minute and 80 MB of packages)."""
    inputs = {"suite": SUITE, "packages": PACKAGES, "v": 1}
    return cached("dom0-rootfs", inputs, _debootstrap) / "root.tar"


def _debootstrap(out):
    bootstrap(out / "root.tar", PACKAGES)


def bootstrap(tar, packages, extra=()):
    """Run mmdebstrap without documentation and translations."""
    excluded = ("doc", "man", "locale", "info", "perl5/debconf")
    run(
        "mmdebstrap", "--quiet", "--variant=minbase",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in excluded),
        f"--include={','.join(packages)}", *extra, SUITE, tar,
    )  # fmt: skip


def disk():
    """dom0's root disk, qcow2, read-only: run on an overlay of it."""
    linux = kernel.installed()
    inputs = {
        "rootfs": rootfs().parent.name,
        "kernel": file_hash(linux.vmlinuz),
        "labd": file_hash(programs.labd()),
        "grants": file_hash(programs.grants()),
        "hotplug": [file_hash(programs.hotplug(name)) for name in HOTPLUG],
        "files": FILES,
        "masked": MASKED,
        "modules": MODULES,
        "v": 2,
    }
    return cached("dom0-disk", inputs, lambda out: _build_disk(out, linux)) / "dom0.qcow2"


def _build_disk(out, linux):
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        run("tar", "-xf", rootfs(), "-C", root, "--numeric-owner")
        install_modules(root, linux, MODULES)
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        shutil.copy(programs.labd(), root / "usr/local/sbin/labd")
        shutil.copy(programs.grants(), root / "usr/local/sbin/lab-grants")
        for name in HOTPLUG:
            shutil.copy(programs.hotplug(name), root / "etc/xen/scripts" / name)
        for unit in MASKED:
            link = root / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        generators = root / "etc/systemd/system-generators"
        generators.mkdir()
        for generator in (root / "lib/systemd/system-generators").iterdir():
            (generators / generator.name).symlink_to("/dev/null")
        (root / "etc/systemd/system/default.target").symlink_to(
            "/lib/systemd/system/multi-user.target"
        )
        units = ("labd.service", "xen.service", "serial-getty@hvc0.service")
        run("chroot", root, "systemctl", "enable", *units)
        for folder in ("var/lib/xenpv-lab", "var/log/xen/console"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        make_ext4(root, out / "dom0.raw", "4G", "dom0", journal=False)
    run("qemu-img", "convert", "-O", "qcow2", out / "dom0.raw", out / "dom0.qcow2")
    (out / "dom0.raw").unlink()


def install_modules(root, linux, names):
    """Put modules and what they depend on into a root file system."""
    base = linux.modules_dir
    target = root / "lib/modules" / linux.release
    for path in linux.closure(names):
        copy = target / path.relative_to(base)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(base / name, target / name)
    run("depmod", "-b", root, linux.release)


def make_ext4(root, image, size, label, journal=True):
    """An ext4 image of a directory."""
    with open(image, "wb") as stream:
        stream.truncate(parse_size(size))
    features = () if journal else ("-O", "^has_journal")
    run(
        "mke2fs", "-q", "-F", "-t", "ext4", "-L", label, *features, "-E", "lazy_itable_init=0",
        "-d", root, image,
    )  # fmt: skip


def parse_size(text):
    """Bytes of a size like 64M, 3G or 4096."""
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


def initramfs():
    """The small initramfs that finds dom0's root on virtio-blk."""
    linux = kernel.installed()
    inputs = {"kernel": file_hash(linux.vmlinuz), "init": INIT, "modules": BOOT_MODULES}

    def build(out):
        archive = Cpio()
        archive.file("init", INIT, 0o755)
        archive.file("bin/busybox", programs.BUSYBOX, 0o755)
        for folder in ("proc", "dev", "root"):
            archive.directory(folder)
        archive.node("dev/console", 5, 1)
        files = linux.closure(BOOT_MODULES)
        for path in files:
            archive.file(path.name, path)
        archive.file("modules", "\n".join(path.name for path in files))
        (out / "initramfs").write_bytes(archive.finish())

    return cached("dom0-initramfs", inputs, build) / "initramfs"
