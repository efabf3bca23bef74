# SPDX-License-Identifier: GPL-2.0-or-later
"""What an agent has written to a guest's home, and tests/unit/agent-golden.list."""

import re
from pathlib import Path

from .bench import CaseFailed

LIST = Path(__file__).parents[1] / "unit/agent-golden.list"
# Parts of a guest's home that are its agent's; directories at the top are the toolstack's.
PARTS = ("attr/", "data/", "drivers/", "feature/")
LAB = "data/lab/"  # the lab's control channel


def listed(text, home):
    """Nodes of the agent by path below @home, directories with "", from xenstore-ls -f."""
    found = {}
    for line in text.splitlines():
        path, _, value = line.partition(" = ")
        path = path.strip().removeprefix(f"{home}/")
        if path.startswith(PARTS) and not path.startswith(LAB):
            found[path] = value.strip()[1:-1]
    return found


def compare(nodes):
    """CaseFailed unless keys and formats are those of the list; how many nodes were compared."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    found = dict.fromkeys((row[1] for row in rows), 0)
    for path, value in nodes.items():
        if not value or path.startswith("data/xenpv/"):
            continue
        row = next((row for row in rows if re.fullmatch(row[1], path)), None)
        if not row or row[0] == "never":
            raise CaseFailed(f"{path} is not in {LIST.name}")
        if not re.fullmatch(row[2], value):
            raise CaseFailed(f"{path} = {value!r} is not of the form {row[2]}")
        found[row[1]] += 1
    missing = [row[1] for row in rows if row[0] == "must" and not found[row[1]]]
    if missing:
        raise CaseFailed(f"not reported: {missing}")
    return sum(found.values())
