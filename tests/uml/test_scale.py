# SPDX-License-Identifier: GPL-2.0-or-later
"""Many guests on one host."""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import Nic, case

from uml.netload import exercise

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


@case(timeout=120, xenstored=["--transaction", "1"])
def more_disks_than_transactions(env):
    """xenstored lets a guest have few transactions at a time; all its disks connect at once."""
    image = env.image("8M", content=b"sixteen disks")
    disks = [image.disk(f"xvd{chr(ord('a') + i)}", "r") for i in range(DISKS)]
    guest = env.guest(disks=disks)
    out = guest.run("exec head -q -c 13 /dev/xvd?").out
    env.check(out == "sixteen disks" * DISKS, f"read {out[:40]!r}")
    refused = guest.run("dmesg | grep -E 'transaction|reconnecting' || true").out
    env.check(not refused, f"what could not be had: {refused}")


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


def daemon_memory(env):
    """What broker and workers take together, in bytes."""
    return private_memory([env.backend.pid, *env.backend.workers().values()])


def settled(env, guests):
    """The daemon's memory as soon as its workers are those of @guests and no others."""
    env.await_(lambda: set(env.backend.workers()) == {g.domid for g in guests}, "its workers", 60)
    return daemon_memory(env)


def sizing(what):
    """The KiB that xenpv size reckons with."""
    header = Path(__file__).parents[2] / "tools/xenpv/config/sizing.h"
    text = header.read_text(encoding="utf-8")
    return int(re.search(rf"SIZING_{what}_KIB\s+(\d+)", text).group(1))


def busy(env, guest, disks, nics):
    """Large requests on each disk, many at a time, and traffic on each interface."""
    if disks:
        read = "for d in /dev/xvd?; do dd if=$d of=/dev/null bs=1M iflag=direct & done; wait"
        guest.run(f"({read}) 2>/dev/null", timeout=120)
    if nics:
        guest.configure()
    for number in range(nics):
        exercise(env, guest, number)


@case(benches="uml", kernels="plain", net=True, slow=True, timeout=600)
def memory_of_the_daemon(env):
    """What a guest, a disk and an interface cost broker and worker: xenpv size holds them."""
    image = env.image("16M", content=b"x" * (16 << 20))
    disks = [image.disk(f"xvd{chr(ord('a') + i)}", "r") for i in range(DISKS)]
    bridges = [env.net.bridge(number) for number in range(10)]
    broker = daemon_memory(env)
    env.note("broker", f"{broker >> 10}K")
    env.check(broker <= 1.25 * 1024 * sizing("BROKER"), f"the broker takes {broker} bytes")

    def start(name, n_disks, n_nics):
        nics = [Nic(bridge) for bridge in bridges[:n_nics]]
        driver = "xen-vnif" if nics else "xen-vbd"
        return env.guest(disks=disks[:n_disks], nics=nics, name=name, frontend=driver)

    # Programs and libraries are shared; with these two there they are paid for.
    others = [start("disk", 1, 0), start("nic", 0, 1)]
    busy(env, others[0], 1, 0)
    busy(env, others[1], 0, 1)
    base = settled(env, others)

    def cost(name, n_disks, n_nics):
        guest = start(name, n_disks, n_nics)
        idle = settled(env, [*others, guest]) - base
        busy(env, guest, n_disks, n_nics)
        used = daemon_memory(env) - base
        guest.destroy()
        settled(env, others)
        return idle, used

    one_disk, all_disks = cost("d1", 1, 0), cost("d16", DISKS, 0)
    one_nic, all_nics = cost("n1", 0, 1), cost("n10", 0, len(bridges))
    for when, i in (("idle", 0), ("used", 1)):
        ring = (all_disks[i] - one_disk[i]) / (DISKS - 1)
        queue = (all_nics[i] - one_nic[i]) / (len(bridges) - 1)
        worker = max(one_disk[i] - ring, one_nic[i] - queue)
        for what, value in (("worker", worker), ("ring", ring), ("queue", queue)):
            env.note(f"{what}-{when}", f"{value / 1024:.0f}K")
            limit = sizing(what.upper()) * 1024
            env.check(value <= 1.25 * limit, f"a {what} takes {value:.0f} bytes, not {limit}")
