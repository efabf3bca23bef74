# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian guest: Debian 12 with systemd, its root on ext4 found by LABEL.

What an administrator would install is put in as the packages would: our drivers in
place of the stock frontends, xen-vbd in its initramfs, and the agent with its unit.
stock.py has the same guest before any of that.
"""

import shutil
import tempfile
from pathlib import Path

from . import kernel, programs
from .cache import ROOT, cached, file_hash, run
from .dom0 import SUITE, bootstrap, install_modules, make_ext4

LABEL = "xenpv-guest"
SIZE = 3 << 30
PACKAGES = (
    "systemd systemd-sysv libpam-systemd dbus udev kmod e2fsprogs initramfs-tools iproute2 "
    "iputils-ping procps zstd "
    "libxenstore4 libjson-c5 libcap2 rpm grub-common"
).split()
MODULES = "ext4 crc32c_generic xen-blkfront xen-netfront xen-gntalloc loop".split()

# Path in the guest, file here, of the agent.
AGENT = {
    "usr/sbin/xenpv-agent": ROOT / "build/tools/bin/xenpv-agent",
    "usr/lib/systemd/system/xenpv-agent.service": ROOT / "packaging/systemd/xenpv-agent.service",
    "usr/lib/systemd/system-shutdown/xenpv-agent.shutdown": ROOT
    / "tools/guestagent/xenpv-agent.shutdown",
    "usr/lib/systemd/system/xenpv-agent-hooks.service": ROOT
    / "packaging/systemd/xenpv-agent-hooks.service",
    "usr/lib/systemd/system/xenpv-agent-hooks@.service": ROOT
    / "packaging/systemd/xenpv-agent-hooks@.service",
    "usr/lib/udev/rules.d/60-xenpv-agent.rules": ROOT / "packaging/udev/60-xenpv-agent.rules",
    "usr/lib/udev/rules.d/60-xenpv-ptp.rules": ROOT / "packaging/udev/60-xenpv-ptp.rules",
    "etc/xenpv/agent.conf": ROOT / "packaging/config/agent.conf",
}

FILES = {
    "etc/hostname": "guest\n",
    "etc/fstab": f"LABEL={LABEL} / ext4 errors=remount-ro 0 1\n",
    "etc/machine-id": "6c616200000000000000000000067e57\n",
    "etc/systemd/system/labd.service": """\
[Unit]
Description=The lab's control channel

[Service]
ExecStart=/usr/local/sbin/labd
KillMode=process

[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/system/serial-getty@hvc0.service.d/lab.conf": (
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I "
        "$TERM\n"
    ),
    "usr/local/bin/fio": (
        "#!/bin/sh\nLD_LIBRARY_PATH=/usr/local/lib/fio exec /usr/local/lib/fio/fio \"$@\"\n"
    ),
}

# Quick to make and to boot: nothing but what is named.
INITRAMFS = {
    "etc/initramfs-tools/initramfs.conf": (
        "MODULES=list\nBUSYBOX=auto\nCOMPRESS=zstd\nCOMPRESSLEVEL=3\nKEYMAP=n\nFSTYPE=ext4\n"
    ),
}

MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer "
    "e2scrub_reap.service fstrim.timer systemd-pstore.service getty@tty1.service"
).split()

# Each takes seconds of emulated time at boot and has nothing to do in this guest.
MASKED_GENERATORS = (
    "cryptsetup debug gpt-auto hibernate-resume integritysetup rc-local run system-update sysv "
    "veritysetup"
).split()


def rootfs():
    """A tar of what both Debian guests begin with."""
    inputs = {"suite": SUITE, "packages": PACKAGES, "v": 1}
    build = cached("guest-rootfs", inputs, lambda out: bootstrap(out / "root.tar", PACKAGES))
    return build / "root.tar"


def _build_of(modules):
    """The directory with the guest's disk and initramfs. modules: see payload.guest_modules()."""
    linux = kernel.installed()
    agent = AGENT if all(path.exists() for path in AGENT.values()) else {}
    inputs = base_inputs() | {
        "frontend": {path.name: file_hash(path) for path in modules},
        "agent": {path: file_hash(source) for path, source in agent.items()},
        "own files": [INITRAMFS, MODULES],
    }
    return cached("guest", inputs, lambda out: _build(out, linux, modules, agent))


def base_inputs():
    """What decides how unpack_base() fills a directory, as JSON can hold it."""
    return {
        "rootfs": rootfs().parent.name,
        "kernel": file_hash(kernel.installed().vmlinuz),
        "labd": file_hash(programs.labd()),
        "fio": programs.fio().name,
        "net-tools": [file_hash(path) for path in programs.net_tools().values()],
        "files": [FILES, MASKED, MASKED_GENERATORS],
        "v": 2,
    }


def write_files(root, files):
    """files: {path below root: text}."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def unpack_base(root):
    """Debian, and what steers and measures it, into a directory; nothing of ours."""
    root.chmod(0o755)
    run("tar", "-xf", rootfs(), "-C", root, "--numeric-owner")
    write_files(root, FILES)
    (root / "usr/local/bin/fio").chmod(0o755)
    shutil.copy(programs.labd(), root / "usr/local/sbin/labd")
    fio = root / "usr/local/lib/fio"
    shutil.copytree(
        programs.fio(), fio, ignore=shutil.ignore_patterns("ld-*", "libc.*", "libm.*", "*.json")
    )
    for name, path in programs.net_tools().items():
        shutil.copy(path, root / "usr/local/bin" / name)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir()
    for name in MASKED_GENERATORS:
        (generators / f"systemd-{name}-generator").symlink_to("/dev/null")
    run("chroot", root, "systemctl", "enable", "labd.service", "serial-getty@hvc0.service")
    shutil.copy(f"/boot/config-{kernel.installed().release}", root / "boot")


def _build(out, linux, modules, agent):
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        unpack_base(root)
        write_files(root, INITRAMFS)
        for path, source in agent.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / path)
            (root / path).chmod(0o644 if path.endswith((".service", ".rules", ".conf")) else 0o755)
        _install_frontend(root, linux, modules)
        if agent:
            units = "xenpv-agent.service", "xenpv-agent-hooks.service"
            run("chroot", root, "systemctl", "enable", *units)
        shutil.copy(linux.vmlinuz, root / f"boot/vmlinuz-{linux.release}")
        initrd = f"boot/initrd.img-{linux.release}"
        run("chroot", root, "mkinitramfs", "-o", f"/{initrd}", linux.release)
        shutil.copy(root / initrd, out / "initramfs")
        make_ext4(root, out / "disk.raw", str(SIZE), LABEL)


def _install_frontend(root, linux, modules):
    """The driver into updates/ and the initramfs; the stock one is blacklisted, not removed."""
    install_modules(root, linux, MODULES)
    wanted = ["crc32c_generic", "ext4"]
    ours = [path for path in modules if "/kernel/" not in str(path)]
    names = [path.stem for path in ours]
    updates = root / "lib/modules" / linux.release / "updates/xenpv"
    updates.mkdir(parents=True)
    for path in ours:
        shutil.copy(path, updates)
    blacklist = []
    if "xen-vbd" in names:
        wanted += ["xenpv-core", "xen-vbd"]
        blacklist.append("blacklist xen-blkfront\n")
    else:
        wanted.append("xen-blkfront")
    if "xen-vnif" in names:
        blacklist.append("blacklist xen-netfront\n")
    (root / "etc/modprobe.d/xenpv.conf").write_text("".join(blacklist))
    run("depmod", "-b", root, linux.release)
    (root / "etc/initramfs-tools/modules").write_text("".join(f"{name}\n" for name in wanted))


def disk(modules):
    """The guest's disk, a raw file: run on an overlay of it."""
    return _build_of(modules) / "disk.raw"


def initramfs(modules):
    return _build_of(modules) / "initramfs"
