# SPDX-License-Identifier: GPL-2.0-or-later
"""A small root file system with Debian's chronyd, as an administrator would set it up.

The daemon, its account and its configuration are those of the package; what we ship for
/etc/chrony/conf.d is put beside them and switched on as docs/ptp.md says. The agent is
there too. It is a read-only disk of the tiny guest, so nothing of it costs memory.
"""

import shutil
import tempfile
from pathlib import Path

from . import programs
from .cache import ROOT, cached, file_hash, run
from .dom0 import make_ext4

PACKAGE = "chrony"
OURS = ROOT / "packaging/chrony/xenpv.conf"
AGENT = ROOT / "build/tools/bin/xenpv-agent"

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
_chrony:x:100:100:Chrony:/var/lib/chrony:/usr/sbin/nologin
"""
GROUP = "root:x:0:\n_chrony:x:100:\n"


def enabled(text):
    """Our file with its directives switched on: "#word" is one, "# word" a comment."""
    lines = [line[1:] if line.startswith("#") and line[1:2].isalpha() else line
             for line in text.splitlines()]  # fmt: skip
    return "\n".join(lines) + "\n"


def package():
    """The files of the package."""

    def build(out):
        # The archive's user may not write here, which is a warning only.
        run("apt-get", "-q", "download", PACKAGE, cwd=out)
        (archive,) = out.glob("*.deb")
        run("dpkg-deb", "-x", archive, out / "root")
        archive.unlink()

    return cached("chrony-package", {"package": PACKAGE, "v": 1}, build) / "root"


def disk():
    """The file system, a raw image."""
    files = package()
    agent = [AGENT] if AGENT.exists() else []
    inputs = {
        "package": file_hash(files / "usr/sbin/chronyd"),
        "ours": file_hash(OURS),
        "agent": [file_hash(path) for path in agent],
        "files": [PASSWD, GROUP],
        "v": 1,
    }
    return cached("chrony", inputs, lambda out: _build(out, files, agent)) / "chrony.img"


def _build(out, files, agent):
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in ("dev", "proc", "sys", "run", "tmp", "var", "etc/chrony/conf.d", "usr/sbin"):
            (root / name).mkdir(parents=True)
        (root / "etc/passwd").write_text(PASSWD)
        (root / "etc/group").write_text(GROUP)
        shutil.copy(files / "usr/share/chrony/chrony.conf", root / "etc/chrony")
        shutil.copy(files / "usr/share/chrony/chrony.keys", root / "etc/chrony")
        (root / "etc/chrony/conf.d/xenpv.conf").write_text(enabled(OURS.read_text()))
        for program in (files / "usr/sbin/chronyd", *agent):
            shutil.copy(program, root / "usr/sbin")
            for library in programs.libraries(program):
                copy = root / str(library.parent).lstrip("/") / library.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, copy)
        make_ext4(root, out / "chrony.img", "64M", "chrony", journal=False)
