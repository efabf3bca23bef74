# SPDX-License-Identifier: GPL-2.0-or-later
"""The @case decorator and the discovery of cases in tests/*/test_*.py."""

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TOP = TESTS.parent

_found = []


@dataclass(frozen=True)
class Case:
    """One test function and what it asks for."""

    name: str
    function: object
    file: Path
    benches: tuple
    guests: tuple  # lab: pv, pvh, hvm; the fast bench has one kind, "uml"
    more_guests: tuple  # lab: kinds that are left to `make soak` like a slow case
    frontend: tuple  # xen-vbd, xen-blkfront, xen-vnif, xen-netfront; one run for each
    backend: str  # xenpv-backendd, blkback, netback, qdisk, none
    kernels: tuple  # fast bench: plain, debug; one run for each
    timeout: float  # seconds for the whole case, on a machine of ordinary speed
    slow: bool = False  # left to `make soak`, and to who asks for it
    options: dict = field(default_factory=dict)

    @property
    def doc(self):
        return (self.function.__doc__ or "").strip().split("\n")[0]


def case(
    benches="uml",
    guests="pv pvh",
    more_guests="",
    frontend="xen-vbd",
    backend="xenpv-backendd",
    kernels="debug",
    timeout=300,
    slow=False,
    **options,
):
    """Mark a function as a test case; lists are written as words in one string.

    Further keywords are kept in Case.options for the bench (e.g. memory=128).
    """

    def register(function):
        _found.append(
            Case(
                name=function.__name__,
                function=function,
                file=Path(function.__code__.co_filename),
                benches=tuple(benches.split()),
                guests=tuple(guests.split()),
                more_guests=tuple(more_guests.split()),
                frontend=tuple(frontend.split()),
                backend=backend,
                kernels=tuple(kernels.split()),
                timeout=timeout,
                slow=slow,
                options=options,
            )
        )
        return function

    return register


def discover():
    """Import every tests/*/test_*.py and return the cases in file order."""
    _found.clear()
    for path in sorted(TESTS.glob("*/test_*.py")):
        name = f"cases_{path.parent.name}_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    seen = {}
    for found in _found:
        other = seen.setdefault(found.name, found)
        if other is not found and set(other.benches) & set(found.benches):
            raise SystemExit(f"case {found.name} is defined in {other.file} and {found.file}")
    return list(_found)
