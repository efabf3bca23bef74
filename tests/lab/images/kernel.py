# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's stock kernels and their modules, as linux-image packages have them."""

import gzip
import lzma
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .cache import CACHE, cached, file_hash


@dataclass(frozen=True)
class Kernel:
    """A kernel below the root that its package is unpacked in.

    release: e.g. 6.1.0-56-amd64. suite: of Debian, when it is not that of this machine.
    """

    release: str
    root: Path = Path("/")
    suite: str = ""

    def name(self, base):
        """What base is called when it is made for this kernel."""
        return f"{base}-{self.suite}" if self.suite else base

    @property
    def vmlinuz(self):
        return self.root / f"boot/vmlinuz-{self.release}"

    @property
    def modules_dir(self):
        return self.root / "lib/modules" / self.release

    def vmlinux(self):
        """The uncompressed ELF kernel: libxl takes long to unpack a compressed one."""

        def build(out):
            (out / "vmlinux").write_bytes(_unpack(self.vmlinuz.read_bytes()))

        inputs = {"kernel": file_hash(self.vmlinuz)}
        return cached(self.name("vmlinux"), inputs, build) / "vmlinux"

    def closure(self, names):
        """Module files that names need, each after what it depends on (modules.dep)."""
        depends, by_name = {}, {}
        for line in (self.modules_dir / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            depends[path] = rest.split()
            by_name[_module_name(path)] = path
        builtin = {
            _module_name(line)
            for line in (self.modules_dir / "modules.builtin").read_text().splitlines()
        }
        ordered = []

        def add(path):
            for other in depends[path]:
                add(other)
            if path not in ordered:
                ordered.append(path)

        for name in map(_module_name, names):
            if name in builtin:
                continue
            if name not in by_name:
                raise RuntimeError(f"kernel {self.release} has no module {name}")
            add(by_name[name])
        return [self.modules_dir / path for path in ordered]


def _module_name(path):
    return Path(path).name.split(".")[0].replace("-", "_")


def module_data(path):
    """A module file's bytes, unpacked."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _newest(root):
    found = sorted((root / "boot").glob("vmlinuz-*-amd64"), key=lambda path: _order(path.name))
    return found[-1].name.removeprefix("vmlinuz-") if found else None


def installed():
    """The newest kernel of this machine, which dom0 runs, and guests unless a case asks."""
    release = _newest(Path("/"))
    if not release:
        raise RuntimeError("no Debian kernel in /boot; install linux-image-amd64")
    return Kernel(release)


def of_suite(suite):
    """The kernel of another suite where scripts/kernel-matrix has unpacked it, else None."""
    root = CACHE / "kernels" / suite
    release = _newest(root)
    if not release or not (root / "lib/modules" / release / "modules.dep").exists():
        return None
    return Kernel(release, root, suite)


def _order(name):
    return [int(part) for part in name.replace("-", ".").split(".") if part.isdigit()]


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
        # The size that the build appends would be a second, broken frame.
        elf = subprocess.run(
            ["zstd", "-dc"], input=payload[:-4], stdout=subprocess.PIPE, check=True, timeout=120
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
