# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk throughput in the lab: xen-vbd and the stock frontend, alternately, on each backend.

tests/bench/README.md has the method.
"""

import json
import re

from lab.host import Image

from . import xentrace
from .stats import ratio, summary

FRONTENDS = ("xen-vbd", "xen-blkfront")
BACKENDS = ("xenpv-backendd", "blkback", "qdisk")

# name: (fio's rw, block size, queue depth, the figure that is compared)
WORKLOADS = {
    "randread 4k qd1": ("randread", "4k", 1, "iops"),
    "randread 4k qd32": ("randread", "4k", 32, "iops"),
    "randwrite 4k qd1": ("randwrite", "4k", 1, "iops"),
    "randwrite 4k qd32": ("randwrite", "4k", 32, "iops"),
    "read 128k": ("read", "128k", 8, "mbps"),
    "write 128k": ("write", "128k", 8, "mbps"),
    "read 1m": ("read", "1m", 4, "mbps"),
    "write 1m": ("write", "1m", 4, "mbps"),
}
COUNTED = ("randread 4k qd1", "randread 4k qd32", "read 128k")
TRACE_FILE = "/tmp/bench.trace"
MEMORY_FILE = "/run/xenpv-bench.img"  # tmpfs


def fio_command(device, rw, size, depth, seconds=None, number=None, direct=True):
    """A fio job on @device, for @seconds or for @number of I/Os."""
    words = [
        "fio --name=bench --output-format=json --ioengine=libaio",
        f"--direct={int(direct)}",
        f"--filename={device} --rw={rw} --bs={size} --iodepth={depth}",
        f"--iodepth_batch_submit={max(1, depth // 4)} --iodepth_batch_complete_max={depth}",
        "--randrepeat=1 --norandommap --group_reporting",
    ]
    if seconds is not None:
        words.append(f"--runtime={seconds} --time_based")
    if number is not None:
        words.append(f"--number_ios={number}")
    return " ".join(words)


def parse_fio(text):
    """{"iops", "mbps", "usec"} of a fio JSON report (which warnings may precede)."""
    job = json.loads(text[text.index("{") :])["jobs"][0]
    side = max((job["read"], job["write"]), key=lambda s: s["total_ios"])
    if job["error"] or not side["total_ios"]:
        raise ValueError(f"fio reports error {job['error']} after {side['total_ios']} I/Os")
    return {
        "iops": side["iops"],
        "mbps": side["bw_bytes"] / 1e6,
        "usec": side["lat_ns"]["mean"] / 1e3,
        "ios": side["total_ios"],
    }


def disk_interrupts(text):
    """Interrupts of the vbd frontends in a /proc/interrupts of a guest."""
    total = 0
    for line in text.splitlines():
        if re.search(r"\b(blkif|xen-vbd|xenpv|xvd\w*)\b", line.split("   ")[-1]):
            total += sum(int(word) for word in line.split(":", 1)[1].split() if word.isdigit())
    return total


def count_costs(env, guest, device, workload, number):
    """Hypercalls, event-channel operations and interrupts per I/O, of guest and host."""
    rw, size, depth, _ = WORKLOADS[workload]
    before = disk_interrupts(guest.run("cat /proc/interrupts").out)
    tracer = env.host.run(
        f"rm -f {TRACE_FILE}; xentrace -D -S 512 -e 0x{xentrace.EVENT_MASK:x} {TRACE_FILE} "
        "</dev/null >/tmp/xentrace.log 2>&1 & echo $!"
    ).out.strip()
    try:
        done = parse_fio(guest.run(fio_command(device, rw, size, depth, number=number), 300).out)
    finally:
        env.host.run(f"kill -INT {tracer}; while kill -0 {tracer} 2>/dev/null; do :; done", 60)
    after = disk_interrupts(guest.run("cat /proc/interrupts").out)
    calls = xentrace.count_hypercalls(env.host.read(TRACE_FILE))
    costs = {"ios": done["ios"], "guest_interrupts": (after - before) / done["ios"]}
    for side, domid in (("guest", guest.domid), ("host", 0)):
        counted = calls.get(domid, {})
        costs[f"{side}_event_channel_ops"] = counted.get("event_channel_op", 0) / done["ios"]
        costs[f"{side}_grant_table_ops"] = counted.get("grant_table_op", 0) / done["ios"]
        # iret is how a PV kernel returns to its user space, not part of an I/O's price.
        others = sum(n for name, n in counted.items() if name != "iret")
        costs[f"{side}_hypercalls"] = others / done["ios"]
    return costs


def memory_image(env):
    """A disk in dom0's memory, so that the ring and not a disk is what is measured."""
    image = Image(env.host, MEMORY_FILE, "64M")
    env.host.run(f"dd if=/dev/urandom of={image.path} bs=1M count=64 conv=notrunc 2>&1", 300)
    return image


def measure_guest(env, seconds, number):
    """All workloads once in a fresh guest; returns (results, costs)."""
    image = memory_image(env)
    guest = env.guest(disks=[image.disk("xvdb")], vcpus=2, memory=256)
    results, costs = {}, {}
    for name, (rw, size, depth, _) in WORKLOADS.items():
        command = fio_command("/dev/xvdb", rw, size, depth, seconds=seconds)
        results[name] = parse_fio(guest.run(command, 120).out)
    for name in COUNTED:
        costs[name] = count_costs(env, guest, "/dev/xvdb", name, number)
    return results, costs


def measure_host(env, seconds):
    """The same workloads on the same kind of file, from dom0 itself."""
    image = memory_image(env)
    results = {}
    for name, (rw, size, depth, _) in WORKLOADS.items():
        command = fio_command(image.path, rw, size, depth, seconds=seconds, direct=False)
        results[name] = parse_fio(env.host.run(command, 120).out)
    return results


def compare(runs):
    """From {(backend, frontend): [results, ...]} to rows of summaries and ratios."""
    rows = []
    for backend in BACKENDS:
        for name, (_, _, _, unit) in WORKLOADS.items():
            series = {
                frontend: [run[name][unit] for run in runs.get((backend, frontend), [])]
                for frontend in FRONTENDS
            }
            rows.append(
                {
                    "backend": backend,
                    "workload": name,
                    "unit": unit,
                    **{frontend: summary(values) for frontend, values in series.items()},
                    "ratio": ratio(series["xen-vbd"], series["xen-blkfront"]),
                }
            )
    return rows
