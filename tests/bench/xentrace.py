# SPDX-License-Identifier: GPL-2.0-or-later
"""Count hypercalls by domain in the output of xentrace(8).

The record layout is that of Xen's public/trace.h: a 32-bit word with the event in
bits 0-27, the number of extra words in bits 28-30 and bit 31 set when an 8-byte
time stamp follows. Which domain a record belongs to follows from the scheduler's
records on the same physical CPU.
"""

import struct
from collections import Counter, defaultdict

CPU_CHANGE = 0x0001F003
SCHED_SWITCH = 0x0002800A
LOST_RECORDS = 0x0001F001
PV_HYPERCALL_V2 = 0x0020100D
PV_HYPERCALL_SUBCALL = 0x0020200E

# What xentrace is asked for: domain switches, hypercalls of PV domains. It has no
# record that names the hypercalls of PVH and HVM guests, so counts come from PV.
EVENT_MASK = 0x00028000 | 0x00203000

NAMES = {
    12: "memory_op",
    13: "multicall",
    18: "console_io",
    20: "grant_table_op",
    23: "iret",
    24: "vcpu_op",
    26: "mmuext_op",
    29: "sched_op",
    32: "event_channel_op",
    33: "physdev_op",
}


def records(data):
    """Yield (event, extra words) for each record; raises ValueError on a torn file."""
    position = 0
    while position + 4 <= len(data):
        (word,) = struct.unpack_from("<I", data, position)
        position += 4
        if word >> 31:
            position += 8
        count = (word >> 28) & 7
        if position + 4 * count > len(data):
            raise ValueError(f"trace ends within a record at byte {position}")
        yield word & 0x0FFFFFFF, struct.unpack_from(f"<{count}I", data, position)
        position += 4 * count


def count_hypercalls(data):
    """Return {domid: Counter({hypercall name: calls})} for a trace."""
    running = {}
    cpu = 0
    calls = defaultdict(Counter)
    for event, extra in records(data):
        if event == CPU_CHANGE and extra:
            cpu = extra[0]
        elif event == SCHED_SWITCH and len(extra) >= 4:
            running[cpu] = extra[2]
        elif event in (PV_HYPERCALL_V2, PV_HYPERCALL_SUBCALL) and extra:
            number = extra[0] & 0xFFFFF
            if cpu in running:
                calls[running[cpu]][NAMES.get(number, str(number))] += 1
        elif event == LOST_RECORDS:
            raise ValueError("xentrace lost records: trace fewer I/Os or give it larger buffers")
    return calls
