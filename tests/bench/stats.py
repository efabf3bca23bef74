# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians, spreads and ratios of repeated measurements."""

from statistics import median


def summary(values):
    """{"median", "min", "max", "n"} of a list of numbers; None when it is empty."""
    if not values:
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "n": len(values)}


def ratio(ours, theirs):
    """Ours over theirs, with the worst and the best that the runs allow.

    Runs are taken in pairs (the drivers alternate), so the spread is that of the
    ratios of neighbours: what drifted in the machine between pairs cancels out.
    """
    pairs = [a / b for a, b in zip(ours, theirs) if b]
    if not pairs:
        return None
    return {"median": median(pairs), "min": min(pairs), "max": max(pairs), "n": len(pairs)}


def fmt_ratio(value):
    if value is None:
        return "-"
    return f"{value['median']:.2f}x ({value['min']:.2f}-{value['max']:.2f})"
