# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk that carries what was just built into dom0, where it is mounted on /lab.

  /lab/vmlinux, /lab/vmlinuz   the guests' kernel, as an ELF file and for HVM guests
  /lab/tiny-<frontend>.img     initramfs of the tiny guest with that driver
  /lab/debian.img              initramfs of the Debian guest
  /lab/chrony.img              file system with Debian's chronyd, when a case asks for it
  /lab/host/...                files to be installed in dom0, by their path there
  /lab/bin/...                 programs for network traffic
  /lab/net/...                 the bridge tests
  /lab/packages-<kind>.img     a guest's disk with our packages, rpm or deb
  /lab/extra/...               modules and programs that cases load or run themselves
"""

import shutil
import tempfile
from pathlib import Path

from . import chrony, debian, kernel, packages, programs, tiny
from .cache import ROOT
from .dom0 import make_ext4

# Frontends of the tiny guest: the stock ones, and ours with what they stand on.
STOCK = ("xen-blkfront", "xen-netfront")
FRONTENDS = STOCK + ("xen-vbd", "xen-vnif")


def series(release):
    """The directory under build/modules of a kernel: 6.1.0-56-amd64 -> 6.1-amd64."""
    return ".".join(release.split(".")[:2]) + "-" + release.split("-")[-1]


def frontend_modules(name):
    """Module files of a frontend in load order, or None when it is not built."""
    linux = kernel.installed()
    if name in STOCK:
        return linux.closure([name])
    folder = ROOT / "build/modules" / series(linux.release)
    files = [folder / "xenpv-core.ko", folder / f"{name}.ko"]
    return files if all(path.exists() for path in files) else None


def extra_files():
    """What cases load or run themselves, in guests and in dom0."""
    folder = ROOT / "build/modules" / series(kernel.installed().release)
    modules = [folder / "xen-balloon.ko", folder / "xen-ptp.ko"]
    return [path for path in modules if path.exists()] + [programs.clock()]


def host_files():
    """{path in dom0: file here} of daemon and host command; empty without the daemon."""
    tools, packaging = ROOT / "build/tools/bin", ROOT / "packaging"
    files = {
        "usr/sbin/xenpv-backendd": tools / "xenpv-backendd",
        "usr/sbin/xenpv-worker": tools / "xenpv-worker",
        "usr/sbin/xenpv": tools / "xenpv",
        "usr/lib/systemd/system/xenpv-backendd.service": packaging
        / "systemd/xenpv-backendd.service",
        "usr/lib/sysusers.d/xenpv-backend.conf": packaging / "sysusers.d/xenpv-backend.conf",
        "usr/lib/modprobe.d/xenpv-backend.conf": packaging / "modprobe.d/xenpv-backend.conf",
        "usr/lib/modules-load.d/xenpv-backend.conf": packaging
        / "modules-load.d/xenpv-backend.conf",
        "etc/xenpv/backendd.conf": packaging / "config/backendd.conf",
    }
    if not all(path.exists() for path in files.values()):
        return {}
    # The host command looks for its module beside itself first.
    command = {f"usr/sbin/{name}": tools / name for name in ("xenpv", "xenpv-libxl.so")}
    return files | {where: path for where, path in command.items() if path.exists()}


def guest_modules():
    """What the Debian guest runs on: ours when built, else the stock frontends."""
    modules = []
    for ours, stock in (("xen-vbd", "xen-blkfront"), ("xen-vnif", "xen-netfront")):
        for path in frontend_modules(ours) or frontend_modules(stock):
            if path not in modules:
                modules.append(path)
    return modules


def build(target, size, images=(), package_kinds=()):
    """Write the payload disk, an ext4 image of size bytes, to target.

    images: of "debian" and "chrony", those whose files are to be on it; others are ignored.
    package_kinds: of packages.KINDS, those whose disk is to be on it.
    """
    linux = kernel.installed()
    with tempfile.TemporaryDirectory(prefix="xenpv-payload.") as folder:
        root = Path(folder)
        shutil.copy(linux.vmlinux(), root / "vmlinux")
        shutil.copy(linux.vmlinuz, root / "vmlinuz")
        base = tiny.initramfs().read_bytes()
        extra = extra_files()
        (root / "extra").mkdir()
        for path in extra:
            shutil.copy(path, root / "extra")
        for name in FRONTENDS:
            modules = frontend_modules(name)
            if modules is not None:
                (root / f"tiny-{name}.img").write_bytes(base + tiny.frontend(modules, extra=extra))
        if "debian" in images:
            shutil.copy(debian.initramfs(guest_modules()), root / "debian.img")
        if "chrony" in images:
            shutil.copy(chrony.disk(), root / "chrony.img")
        for kind in package_kinds:
            shutil.copy(packages.disk(kind), root / f"packages-{kind}.img")
        for path, source in host_files().items():
            copy = root / "host" / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        shutil.copytree(ROOT / "tests/net", root / "net", ignore=shutil.ignore_patterns("__*"))
        (root / "bin").mkdir()
        for name, path in programs.net_tools().items():
            shutil.copy(path, root / "bin" / name)
        make_ext4(root, target, str(size), "lab", journal=False)
