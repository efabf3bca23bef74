# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache of built things, each in a directory named by what it was built from."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "lab"
CACHE = Path(os.environ.get("XENPV_CACHE", Path.home() / ".cache/xenpv"))

_start = time.monotonic()


def progress(text):
    """One line on standard error, with the seconds since this program started."""
    print(f"[{time.monotonic() - _start:6.1f} s] lab: {text}", file=sys.stderr, flush=True)


def run(*command, **kwargs):
    """Run a program to its end; its output appears only when it fails."""
    kwargs.setdefault("timeout", 1800)
    done = subprocess.run(
        [str(c) for c in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        **kwargs,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(str(c) for c in command)}: exit {done.returncode}\n{done.stdout[-4000:]}"
        )
    return done.stdout


def file_hash(path):
    """SHA-256 of a file, as hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_hash(folder, suffixes):
    """A hash of the names and contents of the files below a folder with these suffixes."""
    files = sorted(p for p in Path(folder).rglob("*") if p.suffix in suffixes and p.is_file())
    return {str(p.relative_to(folder)): file_hash(p) for p in files}


def cached(name, inputs, build):
    """The directory that build(directory) fills, made once for the same inputs.

    inputs: what decides the result, as JSON can hold it. The directory appears
    complete or not at all; build/lab/images/<name> links to the one in use.
    """
    key = hashlib.sha256(json.dumps([name, inputs], sort_keys=True).encode()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    final = CACHE / f"lab-{name}-{key}"
    with lock(f"lab-{name}-{key}"):
        if not final.exists():
            begun = time.monotonic()
            progress(f"building {name}")
            partial = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=CACHE))
            try:
                build(partial)
                os.chmod(partial, 0o755)
                (partial / "inputs.json").write_text(json.dumps(inputs, indent=1, sort_keys=True))
                partial.rename(final)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            progress(f"built {name} in {time.monotonic() - begun:.1f} s")
    os.utime(final)
    _prune(name, keep=final)
    _link(name, final)
    return final


@contextlib.contextmanager
def lock(name):
    """Hold a lock that other processes respect."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f".{name}.lock", "w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _prune(name, keep):
    """Remove builds of this name that nobody used for a day."""
    for old in CACHE.glob(f"lab-{name}-" + "[0-9a-f]" * 16):
        if old != keep and time.time() - old.stat().st_mtime > 86400:
            shutil.rmtree(old, ignore_errors=True)


def _link(name, target):
    links = BUILD / "images"
    links.mkdir(parents=True, exist_ok=True)
    temporary = links / f".{name}.{os.getpid()}.{threading.get_ident()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(links / name)
