# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiny guest: busybox, labd, fio and ext4 tools in an initramfs, up in seconds.

The frontend driver is no part of it. Its modules come in a second archive
(frontend()), so that one image serves every driver and build.
"""

import shutil
from pathlib import Path

from . import kernel, programs
from .cache import cached, file_hash
from .cpio import Cpio

PROGRAMS = ("mke2fs", "e2fsck", "blkdiscard", "blkid", "dumpe2fs")
# What a test may load with modprobe.
MODULES = ("ext4", "crc32c_generic", "loop", "xen-gntalloc", "8021q")

RC = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t debugfs debug /sys/kernel/debug
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
hostname "$(sed -n 's/.*lab\\.name=\\([^ ]*\\).*/\\1/p' /proc/cmdline)"
ip link set lo up
while read -r module options; do
	insmod "/frontend/$module" $options
done < /frontend/order
"""

INITTAB = """\
::sysinit:/etc/rc
::respawn:/sbin/labd
hvc0::askfirst:-/bin/sh
::shutdown:/bin/umount -a -r
"""


def initramfs(linux):
    """The archive for this kernel, without a frontend."""
    inputs = {
        "kernel": file_hash(linux.vmlinuz),
        "labd": file_hash(programs.labd()),
        "fio": programs.fio().name,
        "rc": [RC, INITTAB],
        "programs": [PROGRAMS, MODULES],
        "net-tools": [file_hash(path) for path in programs.net_tools().values()],
        "v": 1,
    }
    return cached(linux.name("tiny"), inputs, lambda out: _build(out, linux)) / "tiny.cpio"


def _build(out, linux):
    archive = Cpio()
    for folder in ("proc", "sys", "dev", "tmp", "run", "mnt", "root", "lib/modules"):
        archive.directory(folder)
    archive.node("dev/console", 5, 1)
    archive.file("bin/busybox", programs.BUSYBOX, 0o755)
    archive.symlink("init", "/bin/busybox")
    archive.file("etc/rc", RC, 0o755)
    archive.file("etc/inittab", INITTAB)
    archive.file("etc/passwd", "root::0:0:root:/root:/bin/sh\n")
    archive.file("sbin/labd", programs.labd(), 0o755)
    fio = programs.fio()
    for path in sorted(fio.iterdir()):
        if path.name == "fio":
            archive.file("bin/fio", path, 0o755)
        elif path.name.startswith("ld-linux"):
            archive.file(f"lib64/{path.name}", path, 0o755)
        elif path.name != "inputs.json":
            archive.file(f"lib/x86_64-linux-gnu/{path.name}", path, 0o755)
    for name in PROGRAMS:
        program = Path(shutil.which(name, path="/sbin:/usr/sbin:/bin:/usr/bin"))
        archive.file(f"sbin/{name}", program, 0o755)
        for library in programs.libraries(program):
            folder = "lib64" if library.name.startswith("ld-linux") else "lib/x86_64-linux-gnu"
            archive.file(f"{folder}/{library.name}", library, 0o755)
    for name, path in programs.net_tools().items():
        archive.file(f"bin/{name}", path, 0o755)
    for name in programs.busybox_applets():
        # Applets give way to the real programs above.
        if name not in PROGRAMS and name not in ("sh", "init", "modprobe"):
            archive.symlink(f"bin/{name}", "/bin/busybox")
    for link in ("bin/sh", "sbin/init", "sbin/poweroff", "sbin/reboot", "sbin/modprobe"):
        archive.symlink(link, "/bin/busybox")
    base = linux.modules_dir
    order = linux.closure(MODULES)
    for path in order:
        name = _unpacked(str(path.relative_to(base)))
        archive.file(f"lib/modules/{linux.release}/{name}", kernel.module_data(path))
    archive.file(f"lib/modules/{linux.release}/modules.dep", _modules_dep(base, order))
    (out / "tiny.cpio").write_bytes(archive.finish())


def _modules_dep(base, files):
    names = {str(path.relative_to(base)) for path in files}
    lines = (base / "modules.dep").read_text().splitlines()
    return _unpacked("".join(f"{line}\n" for line in lines if line.partition(":")[0] in names))


def _unpacked(text):
    """Names of modules as they are in the archive, where none is compressed."""
    return text.replace(".ko.xz", ".ko")


def frontend(modules, options="", extra=()):
    """A second archive with the frontend's module files, loaded in this order.

    options: parameters of the last module, as insmod takes them.
    extra: other files, for cases that want them: modules below /extra, programs in /bin.
    """
    archive = Cpio()
    order = []
    for path in modules:
        archive.file(f"frontend/{path.name}", path)
        order.append(path.name)
    if order and options:
        order[-1] += f" {options}"
    for path in extra:
        folder = "extra" if path.suffix == ".ko" else "bin"
        archive.file(f"{folder}/{path.name}", path, 0o755)
    archive.file("frontend/order", "".join(f"{line}\n" for line in order))
    return archive.finish()
