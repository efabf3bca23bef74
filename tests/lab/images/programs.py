# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that images carry: labd, busybox, and dynamic ones with their libraries."""

import re
import shutil
import subprocess
from pathlib import Path

from .cache import cached, file_hash, run, tree_hash

LAB = Path(__file__).resolve().parents[1]
TESTS = LAB.parent
BUSYBOX = Path("/bin/busybox")


def _static(name, sources, folders):
    """A static C program from sources; folders of tests/ decide when it is built anew."""

    def build(out):
        run(
            "gcc", "-std=c11", "-D_GNU_SOURCE", "-Os", "-Wall", "-Wextra", "-Werror", "-static",
            *(word for folder in folders for word in ("-I", TESTS / folder)),
            "-o", out / name, *sources,
        )  # fmt: skip

    inputs = {folder: tree_hash(TESTS / folder, {".c", ".h"}) for folder in folders}
    return cached(name, inputs, build) / name


def labd():
    """labd: the same file runs in dom0 and in every guest."""
    return _static("labd", sorted((LAB / "labd").glob("*.c")), ["lab/labd"])


def hotplug(name):
    """A quick hotplug script of dom0: block-fast or vif-fast."""
    folder = LAB / "hotplug"
    sources = [folder / f"{name}.c", folder / "node.c", LAB / "labd/xs.c"]
    return _static(name, sources, ["lab/hotplug", "lab/labd"])


# The programs of tests/net-tools, with their sources there.
NET_TOOLS = {
    "traffic": ("traffic*.c", "pattern.c"),
    "frames": ("frames.c", "pattern.c"),
    "xdp": ("xdp.c",),
    "offload": ("offload.c",),
}


def net_tools():
    """{name: file} of the programs that make and look at network traffic."""
    folder = TESTS / "net-tools"
    built = {}
    for name, patterns in NET_TOOLS.items():
        sources = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        built[name] = _static(name, [*sources, folder / "tool.c"], ["net-tools"])
    return built


def clock():
    """lab-clock, which reads PTP clocks; for every kind of system."""
    return _static("lab-clock", [LAB / "clock/clock.c"], ["lab/clock"])


def grants():
    """lab-grants, which counts a domain's grant references; for dom0."""
    folder = LAB / "grants"

    def build(out):
        run(
            "gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", out / "lab-grants",
            folder / "grants.c", "-lxenctrl", "-lxenforeignmemory",
        )  # fmt: skip

    return cached("grants", tree_hash(folder, {".c"}), build) / "lab-grants"


def busybox_applets():
    """Names of the applets, without busybox itself."""
    if not BUSYBOX.exists():
        raise RuntimeError("install busybox-static")
    listed = subprocess.run(
        [BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True, timeout=30
    )
    return [name for name in listed.stdout.split() if name != "busybox"]


def libraries(program):
    """The shared libraries that a program loads, the dynamic linker included."""
    listed = run("ldd", program, timeout=30)
    return sorted({Path(p) for p in re.findall(r"(/\S+) \(0x", listed)})


def fio():
    """A directory with fio and its libraries, small enough for an initramfs.

    Debian's fio needs 40 MB of Ceph, Gluster and RDMA libraries that no test
    uses. Here they are replaced by one library whose functions abort.
    """
    program = Path(shutil.which("fio") or "/usr/bin/fio")
    if not program.exists():
        raise RuntimeError("install fio")
    return cached("fio", {"fio": file_hash(program), "v": 1}, lambda out: _build_fio(program, out))


_REAL = ("libc.", "libm.", "libz.", "libaio.", "libnuma.", "ld-linux")


def _build_fio(program, out):
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", program))
    stubs, versions = set(), {}
    for symbol in re.findall(r"^\s+U (\S+)$", run("nm", "-D", "--undefined-only", program), re.M):
        name, _, version = symbol.partition("@")
        if re.match(r"GLIBC|LIBAIO|libnuma", version):
            continue
        if not version and not re.match(r"rados_|rbd_", name):
            continue
        stubs.add(name)
        if version:
            versions.setdefault(version, []).append(name)
    source = "#include <stdlib.h>\n" + "".join(
        f"void {name}(void);\nvoid {name}(void)\n{{\n\tabort();\n}}\n" for name in sorted(stubs)
    )
    script = "".join(
        f"{version} {{ {'; '.join(sorted(names))}; }};\n" for version, names in versions.items()
    )
    (out / "stub.c").write_text(source)
    (out / "stub.map").write_text(script)
    run(
        "gcc", "-shared", "-fPIC", "-Os", "-fno-builtin", f"-Wl,--version-script={out}/stub.map",
        "-o", out / "stub.so", out / "stub.c",
    )  # fmt: skip
    shutil.copy(program, out / "fio")
    for soname in needed:
        if not soname.startswith(_REAL):
            shutil.copy(out / "stub.so", out / soname)
    for library in libraries(program):
        if library.name.startswith(_REAL) and library.name in needed + ["ld-linux-x86-64.so.2"]:
            shutil.copy(library, out / library.name)
    for leftover in ("stub.c", "stub.map", "stub.so"):
        (out / leftover).unlink()
    run(out / "ld-linux-x86-64.so.2", "--library-path", out, out / "fio", "--version", timeout=30)
