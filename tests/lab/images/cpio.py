# SPDX-License-Identifier: GPL-2.0-or-later
"""Write initramfs archives (cpio "newc", Documentation/driver-api/early-userspace)."""

import os
import stat
from pathlib import Path


class Cpio:
    """An archive in memory. Directories above a file are added by themselves."""

    def __init__(self):
        self._data = bytearray()
        self._ino = 0
        self._names = set()

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        name = name.strip("/")
        if name in self._names:
            return
        self._names.add(name)
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)
        self._ino += 1
        raw = name.encode() + b"\0"
        fields = (
            self._ino, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0,
            rdev[0], rdev[1], len(raw), 0,
        )  # fmt: skip
        self._data += b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._pad()
        self._data += data
        self._pad()

    def _pad(self):
        self._data += b"\0" * (-len(self._data) % 4)

    def directory(self, name, mode=0o755):
        self._entry(name, stat.S_IFDIR | mode)

    def file(self, name, data, mode=0o644):
        """Add a file; data is bytes, text, or a Path to read."""
        if isinstance(data, Path):
            data = data.read_bytes()
        elif isinstance(data, str):
            data = data.encode()
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name, target):
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor, mode=0o600):
        self._entry(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def finish(self):
        """The archive, padded so that another one can follow it."""
        data = bytearray(self._data)
        fields = (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0)
        data += b"070701" + b"".join(b"%08X" % f for f in fields) + b"TRAILER!!!\0"
        data += b"\0" * (-len(data) % 512)
        return bytes(data)
