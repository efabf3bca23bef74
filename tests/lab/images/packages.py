# SPDX-License-Identifier: GPL-2.0-or-later
"""Our packages as a guest gets them: on a disk with the release that is built, and a next one.

The next release comes of the built packages themselves, with their own scripts: its modules
have another build id, and its configuration files another last line, so that it can be told
which of the two is loaded, and whether an upgrade keeps what an administrator has written.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cache import ROOT, cached, file_hash, progress, run
from .dom0 import make_ext4

KINDS = ("rpm", "deb")
# What a guest installs.
NAMES = ("kmod-xenpv", "xenpv-setup", "xenpv-agent")
NEXT = "1.next"
NEXT_LINE = "\n# A line that only the next release has.\n"
NOTE = ".note.gnu.build-id"

_SOURCES = "drivers tools initramfs packaging man Kbuild meson.build scripts".split()
_SCRIPTS = {
    "pre": "PREIN", "post": "POSTIN", "preun": "PREUN", "postun": "POSTUN",
    "pretrans": "PRETRANS", "posttrans": "POSTTRANS",
}  # fmt: skip
_DEPENDENCIES = {"Requires": "REQUIRE", "Conflicts": "CONFLICT"}


def _newest_source():
    listed = run("git", "-C", ROOT, "ls-files", "--", *_SOURCES).split("\n")
    return max((ROOT / name).stat().st_mtime for name in listed if name and (ROOT / name).exists())


def _find(folder, kind):
    """{name: file} of what a guest installs; fewer than NAMES where some are missing."""
    found = {}
    for name in NAMES:
        paths = sorted(folder.glob(f"{name}[-_][0-9]*.{kind}"))
        if paths:
            found[name] = paths[-1]
    return found


def built(kind):
    """{name: file} of the packages of this tree; they are built where sources are newer."""
    folder = ROOT / "build/packages" / kind
    found = _find(folder, kind)
    if len(found) < len(NAMES) or _newest_source() > min(
        path.stat().st_mtime for path in found.values()
    ):
        progress(f"building the {kind} packages")
        run(ROOT / f"scripts/build-{kind}")
        found = _find(folder, kind)
    missing = set(NAMES) - set(found)
    if missing:
        raise RuntimeError(f"scripts/build-{kind} has not built {', '.join(sorted(missing))}")
    return found


def disk(kind):
    """An ext4 image with the packages in this/ and those of the next release in next/."""
    inputs = {"packages": {p.name: file_hash(p) for p in built(kind).values()}, "v": 1}
    return cached(f"packages-{kind}", inputs, lambda out: _build(out, kind)) / "disk.raw"


def _build(out, kind):
    make_next = {"rpm": _next_rpm, "deb": _next_deb}[kind]
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root, work = Path(folder) / "root", Path(folder) / "work"
        for name in ("this", "next"):
            (root / name).mkdir(parents=True)
        for name, path in built(kind).items():
            shutil.copy(path, root / "this")
            make_next(path, work / name, root / "next")
        make_ext4(root, out / "disk.raw", "16M", "packages", journal=False)


def _change(root):
    """Make a tree the next release's."""
    for module in root.rglob("*.ko"):
        note = module.with_suffix(".note")
        run("objcopy", "-O", "binary", "--only-section", NOTE, "--set-section-flags",
            f"{NOTE}=alloc", module, note)  # fmt: skip
        data = bytearray(note.read_bytes())
        data[-1] ^= 0xFF
        note.write_bytes(data)
        run("objcopy", "--update-section", f"{NOTE}={note}", module)
        note.unlink()
    for config in root.glob("etc/xenpv/*.conf"):
        config.write_text(config.read_text() + NEXT_LINE)


def _next_deb(package, work, out):
    work.parent.mkdir(exist_ok=True)
    run("dpkg-deb", "-R", package, work)
    _change(work)
    control = work / "DEBIAN/control"
    text = re.sub(r"^Version: (.*)$", r"Version: \1+next", control.read_text(), flags=re.M)
    text = re.sub(r"(xenpv-setup \(= [^)]*)\)", r"\1+next)", text)
    control.write_text(text)
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", work, out)


def _ask(package, form):
    return run("rpm", "-qp", "--queryformat", form, package)


def _next_rpm(package, work, out):
    root = work / "root"
    root.mkdir(parents=True)
    with subprocess.Popen(["rpm2cpio", package], stdout=subprocess.PIPE) as unpacked:
        subprocess.run(
            ["cpio", "-idm", "--quiet"], stdin=unpacked.stdout, cwd=root, check=True, timeout=120
        )
    _change(root)
    spec = work / "package.spec"
    spec.write_text(_spec_of(package))
    run("rpmbuild", "-bb", "--nodeps", "--buildroot", work / "buildroot",
        "--define", f"_topdir {work}", "--define", f"_rpmdir {out}",
        "--define", f"payload {root}",
        "--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.rpm", spec)  # fmt: skip


def _spec_of(package):
    """A spec that packs the tree %{payload} as package is, as a next release."""
    release = _ask(package, "%{VERSION}-%{RELEASE}")
    lines = ["%global __os_install_post %{nil}", "%global debug_package %{nil}", "AutoReqProv: no"]
    lines += ["%global _build_id_links none"]
    fields = "NAME VERSION SUMMARY LICENSE".split()
    lines += [f"{f.title()}: {_ask(package, f'%{{{f}}}')}" for f in fields]
    lines += [f"Release: {NEXT}"]
    if _ask(package, "%{ARCH}") == "noarch":
        lines += ["BuildArch: noarch"]
    for word, tag in _DEPENDENCIES.items():
        form = f"[%{{{tag}NAME}} %{{{tag}FLAGS:depflags}} %{{{tag}VERSION}}\\n]"
        for line in _ask(package, form).splitlines():
            if not line.startswith(("rpmlib(", "config(", "/")):
                lines.append(f"{word}: {line.strip()}".replace(release, f"%{{version}}-{NEXT}"))
    lines += ["%description", _ask(package, "%{DESCRIPTION}"), "%install"]
    lines += ["rm -rf %{buildroot}; cp -a %{payload} %{buildroot}"]
    for section, tag in _SCRIPTS.items():
        text = _ask(package, f"%{{{tag}}}")
        if text != "(none)":
            lines += [f"%{section}", text.replace("%", "%%")]
    lines.append("%files")
    form = "[%{FILENAMES}\\t%{FILEFLAGS:fflags}\\t%{FILEMODES:perms}\\n]"
    for line in _ask(package, form).splitlines():
        path, flags, permissions = line.split("\t")
        words = ["%dir"] if permissions.startswith("d") else []
        if "c" in flags:
            words.append("%config(noreplace)" if "n" in flags else "%config")
        lines.append(" ".join([*words, path]))
    return "\n".join(lines) + "\n"
