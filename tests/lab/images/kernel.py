# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's stock kernel and its modules, as the linux-image package installed them."""

import gzip
import lzma
import subprocess
from pathlib import Path

from .cache import cached, file_hash


def version():
    """Release of the newest Debian kernel installed here, e.g. 6.1.0-56-amd64."""
    found = sorted(
        (p for p in Path("/boot").glob("vmlinuz-*-amd64")), key=lambda p: _order(p.name)
    )
    if not found:
        raise RuntimeError("no Debian kernel in /boot; install linux-image-amd64")
    return found[-1].name.removeprefix("vmlinuz-")


def _order(name):
    return [int(part) for part in name.replace("-", ".").split(".") if part.isdigit()]


def vmlinuz(release):
    return Path(f"/boot/vmlinuz-{release}")


def modules_dir(release):
    return Path(f"/lib/modules/{release}")


def vmlinux(release):
    """The uncompressed ELF kernel: libxl takes long to unpack a compressed one."""
    source = vmlinuz(release)

    def build(out):
        (out / "vmlinux").write_bytes(_unpack(source.read_bytes()))

    return cached("vmlinux", {"kernel": file_hash(source)}, build) / "vmlinux"


def _unpack(image):
    """The ELF inside a bzImage (Documentation/x86/boot.rst: payload_offset, payload_length)."""
    setup_sects = image[0x1F1] or 4
    offset = int.from_bytes(image[0x248:0x24C], "little")
    length = int.from_bytes(image[0x24C:0x250], "little")
    start = (setup_sects + 1) * 512 + offset
    payload = image[start : start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x1f\x8b"):
        elf = gzip.decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        elf = subprocess.run(
            ["zstd", "-dc"], input=payload, stdout=subprocess.PIPE, check=False, timeout=120
        ).stdout
    else:
        raise RuntimeError(f"kernel payload starts with {payload[:6].hex()}: unknown compression")
    if not elf.startswith(b"\x7fELF"):
        raise RuntimeError("the kernel's payload is no ELF file")
    return elf


def xen():
    """The hypervisor of the xen-hypervisor-4.17-amd64 package, uncompressed."""
    source = Path("/boot/xen-4.17-amd64.gz")
    if not source.exists():
        raise RuntimeError(f"{source} is missing; install xen-hypervisor-4.17-amd64")

    def build(out):
        (out / "xen.elf").write_bytes(gzip.decompress(source.read_bytes()))

    return cached("xen", {"xen": file_hash(source)}, build) / "xen.elf"


def closure(release, names):
    """Module files that names need, each after what it depends on (modules.dep)."""
    base = modules_dir(release)
    depends, by_name = {}, {}
    for line in (base / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        depends[path] = rest.split()
        by_name[Path(path).name.split(".")[0].replace("-", "_")] = path
    builtin = {
        Path(line).name.split(".")[0].replace("-", "_")
        for line in (base / "modules.builtin").read_text().splitlines()
    }
    ordered = []

    def add(path):
        for other in depends[path]:
            add(other)
        if path not in ordered:
            ordered.append(path)

    for name in names:
        name = name.replace("-", "_")
        if name in builtin:
            continue
        if name not in by_name:
            raise RuntimeError(f"kernel {release} has no module {name}")
        add(by_name[name])
    return [base / path for path in ordered]
