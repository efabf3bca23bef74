# SPDX-License-Identifier: GPL-2.0-or-later
"""How Xen maps the memory of a PVH guest, read from its page tables in the machine's memory.

Xen has no call that tells. It prints the root of the nested page tables (AMD's format, that
of the processor itself) when it is asked for the guests' control blocks.
"""

import re
import struct
from collections import Counter

PRESENT, LARGE = 1 << 0, 1 << 7
FRAME = 0x000FFFFFFFFFF000
TABLE_BYTES = 4096
# Levels below the root, and what an entry that maps memory there spans.
SIZES = ("512g", "1g", "2m", "4k")
# The tables of 4 KiB pages are not looked into.
DEEPEST = 2


def _root(env, domid):
    """Physical address of the guest's top table."""
    pattern = re.compile(rf">>> Domain {domid} <<<.*?H_CR3 = (0x[0-9a-f]+) CleanBits", re.DOTALL)
    begun = len(env.xen_log())
    env.host.run("xl debug-keys v")
    found = []

    def printed():
        found[:] = pattern.findall(env.xen_log()[begun:])
        return found

    env.await_(printed, "Xen to print the guest's control block", 10)
    return int(found[0], 16)


def _walk(env, address, level, counts):
    data = env.physical(address & FRAME, TABLE_BYTES)
    for entry in struct.unpack(f"<{TABLE_BYTES // 8}Q", data):
        if not entry & PRESENT:
            continue
        if entry & LARGE and level:
            counts[SIZES[level]] += 1
        elif level < DEEPEST:
            _walk(env, entry, level + 1, counts)
        else:
            counts["4k_tables"] += 1


def superpages(env, guest):
    """Pages of 2 MiB that the guest's memory is mapped with; one of 1 GiB counts as 512."""
    counts = Counter()
    _walk(env, _root(env, guest.domid), 0, counts)
    return counts["2m"] + 512 * counts["1g"]
