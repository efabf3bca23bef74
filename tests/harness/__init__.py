# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds test cases, runs them on a bench and reports; see README.md."""

from . import traffic
from .bench import (
    Backend,
    CaseFailed,
    CaseSkipped,
    Disk,
    Env,
    Guest,
    Host,
    Image,
    Nic,
    Result,
    parse_size,
)
from .cases import case

__all__ = [
    "Backend",
    "CaseFailed",
    "CaseSkipped",
    "Disk",
    "Env",
    "Guest",
    "Host",
    "Image",
    "Nic",
    "Result",
    "case",
    "parse_size",
    "traffic",
]
