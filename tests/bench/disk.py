# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk throughput in the lab: xen-vbd and the stock frontend, alternately, on each backend.

tests/bench/README.md has the method.
"""

import json
import re

from lab.host import Image

from . import costs

NAME = "disk"
OURS, STOCK = "xen-vbd", "xen-blkfront"
FRONTENDS = (OURS, STOCK)
STOCK_BACKEND = "blkback"
PER = "I/O"
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
INTERRUPTS = re.compile(r"\b(blkif|xen-vbd|xenpv|xvd\w*)\b")
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


def count_costs(env, guest, device, workload, number):
    """Hypercalls, event-channel operations and interrupts per I/O, of guest and host."""
    rw, size, depth, _ = WORKLOADS[workload]
    command = fio_command(device, rw, size, depth, number=number)
    done, found = costs.count(
        env, guest, INTERRUPTS, lambda: parse_fio(guest.run(command, 300).out)
    )
    return {"ios": done["ios"], **{key: n / done["ios"] for key, n in found.items()}}


def memory_image(env):
    """A disk in dom0's memory, so that the ring and not a disk is what is measured."""
    image = Image(env.host, MEMORY_FILE, "64M")
    env.host.run(f"dd if=/dev/urandom of={image.path} bs=1M count=64 conv=notrunc 2>&1", 300)
    return image


def measure_guest(env, seconds, number):
    """All workloads once in a fresh guest; returns (results, prices)."""
    image = memory_image(env)
    guest = env.guest(disks=[image.disk("xvdb")], vcpus=2, memory=256)
    results, prices = {}, {}
    for name, (rw, size, depth, _) in WORKLOADS.items():
        command = fio_command("/dev/xvdb", rw, size, depth, seconds=seconds)
        results[name] = parse_fio(guest.run(command, 120).out)
    for name in COUNTED:
        prices[name] = count_costs(env, guest, "/dev/xvdb", name, number)
    return results, prices


def measure_host(env, seconds):
    """The same workloads on the same kind of file, from dom0 itself."""
    image = memory_image(env)
    results = {}
    for name, (rw, size, depth, _) in WORKLOADS.items():
        command = fio_command(image.path, rw, size, depth, seconds=seconds, direct=False)
        results[name] = parse_fio(env.host.run(command, 120).out)
    return results


def workload_unit(name):
    return WORKLOADS[name][3]
