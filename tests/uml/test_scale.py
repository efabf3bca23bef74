# SPDX-License-Identifier: GPL-2.0-or-later
"""Many guests on one host."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from harness import case

GUESTS = 60
DISKS = 16


def processor_seconds(pids):
    """Time that processes have spent on a processor, user and system, in seconds."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
            fields = stream.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def private_memory(pids):
    """Proportional set size of processes in bytes: what they share counts once."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as stream:
            for line in stream:
                # Guest memory that a worker has mapped is the guest's, not the worker's.
                if line.startswith(("Pss_Anon:", "Pss_File:")):
                    total += int(line.split()[1]) * 1024
    return total


@case(benches="uml", kernels="plain", timeout=600)
def sixty_guests(env):
    """60 guests with 16 disks each attach and read; the daemon's memory and idle load."""
    names = [f"xvd{chr(ord('a') + i)}" for i in range(DISKS)]
    image = env.image("8M", content=b"sixty guests")

    def start(number):
        disks = [image.disk(name, "r") for name in names]
        return env.guest(disks=disks, name=f"n{number}", memory=64)

    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        guests = list(pool.map(start, range(GUESTS)))
    env.note("attached", f"{time.monotonic() - begun:.1f}s")

    def read_all(guest):
        return guest.run("exec head -q -c 12 /dev/xvd?", timeout=120).out

    with ThreadPoolExecutor(4) as pool:
        for guest, out in zip(guests, pool.map(read_all, guests)):
            env.check(out == "sixty guests" * DISKS, f"{guest.name} read {out[:40]!r}")

    pids = [env.backend.pid, *env.backend.workers().values()]
    env.check(len(pids) == GUESTS + 1, f"{len(pids) - 1} workers serve {GUESTS} guests")
    env.note("daemon", f"{private_memory(pids) / (1 << 20):.0f}MiB")
    spent, since = processor_seconds(pids), time.monotonic()
    time.sleep(5)  # the measurement itself
    idle = (processor_seconds(pids) - spent) / (time.monotonic() - since)
    env.note("idle", f"{100 * idle:.1f}%")
    env.check(idle < 0.5, f"the idle daemon takes {100 * idle:.0f} % of a processor")
