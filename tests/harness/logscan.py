# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds in kernel, Xen and daemon logs what no passing case may leave behind."""

import re

# What the kernel, the hypervisor and the sanitizers print when something is wrong.
_BAD = [
    r"\bWARNING: ",
    r"\bBUG: ",
    r"kernel BUG at",
    r"\bOops\b",
    r"Kernel panic",
    r"general protection fault",
    r"Unable to handle kernel",
    r"blocked for more than \d+ seconds",
    r"soft lockup",
    r"rcu.*stall",
    r"INFO: possible .*(lock|deadlock|recursive)",
    r"INFO: trying to register non-static key",
    r"possible circular locking",
    r"suspicious RCU usage",
    r"inconsistent lock state",
    r"unreferenced object 0x",
    r"kmemleak: \d+ new suspected memory leaks",
    r"ODEBUG:",
    r"list_(add|del) corruption",
    r"scheduling while atomic",
    r"sleeping function called from invalid context",
    r"g\.e\. 0x\S+ still in use",
    r"gnttab: .*(leak|still in use|deferr)",
    r"Grant.*(still in use|leak)",
    r"ERROR: (Address|Leak|Thread|Memory)Sanitizer",
    r"runtime error: ",
    r"(grant_table|gnttab|event_channel|common/.*\.c).*\bd[1-9]\d*v?\d*.*(bad|invalid|fail)",
    r"\(XEN\).*(Bad|bad) (grant|g\.e\.|ref)",
    r"\(XEN\).*Assertion .* failed",
    r"\(XEN\) Xen (BUG|WARN) at",
    r"Buffer I/O error",
    r"I/O error, dev ",
]
_bad = re.compile("|".join(f"(?:{pattern})" for pattern in _BAD))


def scan(text, allow=(), limit=5):
    """The complaints in a log, at most @limit lines; @allow: patterns that a case expects."""
    allowed = [re.compile(pattern) for pattern in allow]
    found = []
    for line in text.splitlines():
        if _bad.search(line) and not any(pattern.search(line) for pattern in allowed):
            found.append(line.strip())
            if len(found) >= limit:
                break
    return found
