# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk that carries what was just built into dom0, where it is mounted on /lab.

  /lab/vmlinux, /lab/vmlinuz   the guests' kernel, as an ELF file and for HVM guests
  /lab/tiny-<frontend>.img     initramfs of the tiny guest with that driver
  /lab/vmlinux-<suite>, /lab/tiny-<frontend>-<suite>.img
                               the same for the kernel of another suite, when a case asks for it
  /lab/debian.img              initramfs of the Debian guest
  /lab/roots.img, /lab/roots-disk.img
                               initramfs and disk of a guest whose root is on a partition or on
                               LVM (roots.py), when a case asks for it
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

from . import chrony, debian, kernel, packages, programs, roots, tiny
from .cache import ROOT
from .dom0 import make_ext4

# Frontends of the tiny guest: the stock ones, and ours with what they stand on.
STOCK = ("xen-blkfront", "xen-netfront")
OURS = ("xen-vbd", "xen-vnif")
FRONTENDS = STOCK + OURS
# Modules that no image loads by itself.
OTHERS = ("xen-balloon", "xen-ptp")


def series(release):
    """The directory under build/modules of a kernel: 6.1.0-56-amd64 -> 6.1-amd64."""
    return ".".join(release.split(".")[:2]) + "-" + release.split("-")[-1]


def built(linux):
    """The directory where our modules for a kernel are, once they are built."""
    folder = f"matrix-{linux.suite}" if linux.suite else series(linux.release)
    return ROOT / "build/modules" / folder


def frontend_modules(name, linux=None):
    """Module files of a frontend in load order, or None when it is not built."""
    linux = linux or kernel.installed()
    if name in STOCK:
        return linux.closure([name])
    files = [built(linux) / "xenpv-core.ko", built(linux) / f"{name}.ko"]
    return files if all(path.exists() for path in files) else None


def extra_files(linux, names=OTHERS):
    """What cases load or run themselves, in guests and in dom0. names: of modules."""
    modules = [built(linux) / f"{name}.ko" for name in names]
    return [path for path in modules if path.exists()] + [programs.clock()]


def lacks(suite):
    """Why no guest can run on the kernel of a suite, with a remedy; "" when it can."""
    remedy = f"run scripts/kernel-matrix {suite}"
    linux = kernel.of_suite(suite)
    if not linux:
        return f"the kernel of {suite} is not in the cache: {remedy}"
    modules = [built(linux) / f"{name}.ko" for name in ("xenpv-core", *OURS, *OTHERS)]
    if not all(path.exists() for path in modules):
        return f"the modules are not built for the kernel of {suite}: {remedy}"
    if not all(f"vermagic={linux.release} ".encode() in path.read_bytes() for path in modules):
        return f"the modules for {suite} are not built for its {linux.release}: {remedy}"
    if _changed(built(linux) / "src/drivers"):
        return f"the modules for {suite} are not built from what is in drivers/: {remedy}"
    return ""


def _changed(copy):
    """Whether the sources of the drivers differ from a copy that modules were built from."""
    drivers = ROOT / "drivers"
    sources = {path: copy / path.relative_to(drivers) for path in drivers.rglob("*.[ch]")}
    return any(
        not there.exists() or there.read_bytes() != here.read_bytes()
        for here, there in sources.items()
    )


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
        "usr/lib/systemd/system/xenpv-backend-modules.service": packaging
        / "systemd/xenpv-backend-modules.service",
        "usr/share/xenpv/xenpv-backend.conf": packaging / "modprobe.d/xenpv-backend.conf",
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
    """What the Debian guest runs on: ours when built, else the stock frontends; and the others."""
    modules = []
    for ours, stock in (("xen-vbd", "xen-blkfront"), ("xen-vnif", "xen-netfront")):
        for path in frontend_modules(ours) or frontend_modules(stock):
            if path not in modules:
                modules.append(path)
    others = (built(kernel.installed()) / f"{name}.ko" for name in ("xen-ptp", "xen-balloon"))
    return modules + [path for path in others if path.exists()]


def _add_kernel(root, linux, frontends, extra):
    """A kernel for PV and PVH guests, and the tiny guest with each of the frontends."""
    shutil.copy(linux.vmlinux(), root / linux.name("vmlinux"))
    base = tiny.initramfs(linux).read_bytes()
    for name in frontends:
        modules = frontend_modules(name, linux)
        if modules is not None:
            others = [path for path in extra if path not in modules]
            archive = base + tiny.frontend(modules, extra=others)
            (root / f"{linux.name(f'tiny-{name}')}.img").write_bytes(archive)


def build(target, size, images=(), package_kinds=(), suites=()):
    """Write the payload disk, an ext4 image of size bytes, to target.

    images: of "debian", "roots" and "chrony", those whose files are to be on it; others are
    ignored.
    package_kinds: of packages.KINDS, those whose disk is to be on it.
    suites: those whose kernel is to be on it, beside this machine's; see lacks().
    """
    linux = kernel.installed()
    with tempfile.TemporaryDirectory(prefix="xenpv-payload.") as folder:
        root = Path(folder)
        shutil.copy(linux.vmlinuz, root / "vmlinuz")
        (root / "extra").mkdir()
        extra = extra_files(linux)
        for path in extra:
            shutil.copy(path, root / "extra")
        _add_kernel(root, linux, FRONTENDS, extra)
        for suite in suites:
            linux = kernel.of_suite(suite)
            # Guests on it have both frontends, and memory for that.
            _add_kernel(root, linux, OURS, extra_files(linux, (*OURS, *OTHERS)))
        if "debian" in images:
            shutil.copy(debian.initramfs(guest_modules()), root / "debian.img")
        if "roots" in images:
            built_roots = roots.build(guest_modules())
            shutil.copy(built_roots / "initramfs", root / "roots.img")
            shutil.copy(built_roots / "disk.raw", root / "roots-disk.img")
        if "chrony" in images:
            shutil.copy(chrony.disk(), root / "chrony.img")
        for kind in package_kinds:
            shutil.copy(packages.disk(kind), root / f"packages-{kind}.img")
        for path, source in host_files().items():
            copy = root / "host" / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        shutil.copytree(ROOT / "tests/net", root / "net", ignore=shutil.ignore_patterns("__*"))
        faulty = ROOT / "build/tools/tests/net/xenpv-faulty"
        if faulty.exists():
            shutil.copy(faulty, root / "net")
        (root / "bin").mkdir()
        for name, path in programs.net_tools().items():
            shutil.copy(path, root / "bin" / name)
        make_ext4(root, target, str(size), "lab", journal=False)
