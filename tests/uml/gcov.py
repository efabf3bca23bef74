# SPDX-License-Identifier: GPL-2.0-or-later
"""Line coverage of the drivers, from what guests with the debug kernel have run."""

import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict

from harness.cases import TOP

MODULES = TOP / "build" / "uml" / "debug-modules"
DATA = TOP / "build" / "uml" / "gcov"
# Whole drivers that the cases with kernels="debug" run.
COVERED = ("core", "xen-vbd")
DRIVERS = (*COVERED, "xen-vnif", "balloon", "ptp")
# What the suites leave behind, which guests of their own run.
KUNIT = "kunit"


def collect(guest, name):
    """Save the counters of a running guest below build/uml/gcov/<name>."""
    folder = DATA / name
    shutil.rmtree(folder, ignore_errors=True)
    found = guest.run("find /sys/kernel/debug/gcov -name '*.gcda'", check=False).out.split()
    for path in found:
        relative = path.partition("/debug-modules/")[2]
        if relative:
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(guest.console.read_bytes(path))


def pure():
    """The files that KUnit suites include: those that call no function of Xen or a device."""
    suites = (TOP / "tests" / "kunit").glob("*_test.c")
    include = re.compile(r'^#include "([^"]+\.c)"$', re.MULTILINE)
    return {f"drivers/{name}" for suite in suites for name in include.findall(suite.read_text())}


def _source(name):
    """drivers/core/ring.c of whatever copy of it was compiled, or None for others' files."""
    match = re.search(r"(?:^|/)(" + "|".join(DRIVERS) + r")/([^/]+\.[ch])$", name)
    return f"drivers/{match.group(1)}/{match.group(2)}" if match else None


def _add(merged, folder, files):
    """Add what gcov makes of counter or note files in a folder."""
    done = subprocess.run(
        ["gcov", "--json-format", "--stdout", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    for text in done.stdout.splitlines():
        if not text.startswith("{"):
            continue
        for file in json.loads(text)["files"]:
            source = _source(file["file"])
            if source is None:
                continue
            for line in file["lines"]:
                merged[source][line["line_number"]] += line["count"]


def _add_all_lines(merged):
    """Without counters, notes alone name every line, as one that has not run."""
    for name in DRIVERS:
        with tempfile.TemporaryDirectory() as folder:
            notes = list((MODULES / name).glob("*.gcno"))
            for note in notes:
                shutil.copy(note, folder)
            if notes:
                _add(merged, folder, [note.name for note in notes])


def lines(below="."):
    """{source: {line: executions}} of all that was built, from what was collected.

    @below: the part of it that counts, a path in build/uml/gcov.
    """
    merged = defaultdict(lambda: defaultdict(int))
    _add_all_lines(merged)
    groups = defaultdict(list)
    for path in (DATA / below).rglob("*.gcda"):
        groups[path.parent].append(path)
    for folder, files in groups.items():
        objects = MODULES / folder.name
        for path in files:
            note = objects / f"{path.stem}.gcno"
            if not note.exists():
                continue
            shutil.copy(note, folder / note.name)
        _add(merged, folder, [path.name for path in files])
    return merged
