#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many guests with 16 disks each: time to attach, memory, idle CPU, restart."""

import os
import time

from control_rig import CLOSED, CONNECTED, INITIALISED, Disk, check, main

XVDA = 51712
# 60 guests are for a build without sanitizers
GUESTS, DISKS = int(os.environ.get("XENPV_SCALE_GUESTS", "15")), 16


def usage(pid):
    """CPU seconds and resident KiB of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), rss


def idle_for(pid, seconds):
    before = usage(pid)[0]
    time.sleep(seconds)
    return usage(pid)[0] - before <= 0.01


def attach_all(rig):
    disks = []
    for guest in range(1, GUESTS + 1):
        for i in range(DISKS):
            disk = Disk(rig, guest, XVDA + 16 * i, rig.image(f"{guest}-{i}.img"))
            disk.nodes["hotplug-status"] = "connected"
            disk.create()
            disk.front(ring_ref=8, event_channel=5)
            disk.front(state=INITIALISED)
            disks.append(disk)
    return disks


def await_all(rig, disks, state):
    for disk in disks:
        rig.await_node(f"{disk.backend}/state", state, 60)


def scale(rig):
    begin = time.monotonic()
    disks = attach_all(rig)
    await_all(rig, disks, CONNECTED)
    for disk in disks:
        disk.front(state=CONNECTED)
    print(f"  {len(disks)} disks attached in {time.monotonic() - begin:.1f} s")

    # the last events of the attach are still being looked at
    rig.await_(lambda: idle_for(rig.broker.pid, 0.5), "an idle broker", 30)
    cpu, _ = usage(rig.broker.pid)
    rig.await_never(f"{disks[0].backend}/state", CLOSED, 2)  # an idle time
    cpu, rss = usage(rig.broker.pid)[0] - cpu, usage(rig.broker.pid)[1]
    print(f"  idle: {cpu / 2 * 100:.1f} % CPU, {rss // 1024} MiB")
    check(cpu <= 0.1, f"{cpu} s of CPU in 2 idle seconds")

    rig.kill()
    begin = time.monotonic()
    rig.start()
    rig.await_(lambda: sum(m["reattach"] == "1" for m in rig.messages("connect")) == len(disks),
               "all served again", 60, 0.1)
    print(f"  all served again {time.monotonic() - begin:.1f} s after a kill of the broker")

    begin = time.monotonic()
    for disk in disks:
        disk.ask_removal(force=True)
    await_all(rig, disks, CLOSED)
    print(f"  all closed in {time.monotonic() - begin:.1f} s")
    for disk in disks:
        disk.destroy()
    rig.await_(lambda: rig.status()["guests"] == [], "all forgotten", 30)


if __name__ == "__main__":
    main([scale])
