# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon counts is what was done: not one request, byte or packet more or less."""

import json
import subprocess

from harness import Nic, case

READS, WRITES, BLOCK = 37, 53, 8192
PACKETS, SIZE, ETH_HEADER = 200, 500, 14


def counters(env, guest, kind):
    """ "io" of the guest's only device of a kind, as `xenpv-backendd --status` tells it.

    Awaited, because the daemon gathers changes for a moment before it writes them down.
    """
    program = env.tools / "tools/backend/control/xenpv-backendd-loop"
    config = env.scratch / "backendd.conf"
    found = []

    def counted():
        told = subprocess.run(
            [program, f"--config={config}", f"--runtime-dir={env.backend.runtime}", "--status"],
            capture_output=True,
            timeout=env.scaled(20),
        )
        if told.returncode:
            return False
        guests = [g for g in json.loads(told.stdout)["guests"] if g["domid"] == guest.domid]
        devices = [d for g in guests for d in g["devices"] if d["kind"] == kind]
        found[:] = [d["io"] for d in devices if "io" in d]
        return len(devices) == len(found) == 1

    env.await_(counted, f"the status to have counters of one {kind}", 10)
    return found[0]


def difference(before, after, *keys):
    return tuple(after[key] - before[key] for key in keys)


def disk_work(guest):
    """Each block is one request: direct I/O, one at a time."""
    guest.run(
        f"dd if=/dev/xvda of=/dev/null bs={BLOCK} count={READS} iflag=direct 2>/dev/null && "
        f"dd if=/dev/zero of=/dev/xvda bs={BLOCK} count={WRITES} oflag=direct 2>/dev/null"
    )


@case(benches="uml", frontend="xen-vbd xen-blkfront", kernels="plain")
def counters_of_a_disk(env):
    """Known reads and writes are counted exactly; a new worker or broker goes on counting."""
    guest = env.guest(disks=[env.image("4M").disk("xvda")])
    keys = ("reads", "writes", "read_bytes", "written_bytes", "errors")
    wanted = (READS, WRITES, READS * BLOCK, WRITES * BLOCK, 0)
    before = first = counters(env, guest, "vbd")
    for kill in (
        lambda: None,
        lambda: env.backend.kill_worker(guest),
        env.backend.kill_broker,
        env.backend.restart,
    ):
        kill()
        disk_work(guest)
        after = counters(env, guest, "vbd")
        found = difference(before, after, *keys)
        env.check(found == wanted, f"{keys} are {found}, not {wanted}")
        env.check(after["in_flight"] == 0, f"{after['in_flight']} are in flight")
        before = after
    env.check(after["busy_us"] > first["busy_us"], "requests take time")
    queues = [sum(queue[key] for queue in after["queues"]) for key in keys]
    env.check(queues == [after[key] for key in keys], f"queues do not add up: {after}")
    env.note("busy_us", after["busy_us"] - first["busy_us"])


@case(benches="uml", frontend="xen-vnif xen-netfront", kernels="plain", net=True)
def counters_of_an_interface(env):
    """Known frames are counted, each way; a new worker goes on counting.

    Exactly what the guest sends; towards it the bridge may have a few words of its own.
    """
    bridge = env.net.bridge()
    guest = env.guest(nics=[Nic(bridge)])
    name, tap = guest.interface(), guest.tap()
    guest.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    for link in (bridge, tap):
        env.net.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{link}/disable_ipv6")
    guest.ip(f"link set {name} up")
    mac = guest.read(f"/sys/class/net/{name}/address").strip()
    keys = ("tx_packets", "tx_bytes", "tx_errors", "rx_dropped")
    wanted = (PACKETS, PACKETS * (ETH_HEADER + SIZE), 0, 0)
    before = counters(env, guest, "vif")
    for kill in (lambda: None, lambda: env.backend.kill_worker(guest)):
        kill()
        sink = env.net.start("frames", "count", tap, "--count", PACKETS, "--seconds", 30)
        sink.await_line("ready")
        guest.tool("frames", "send", name, "--dst", "02:00:00:00:00:01", "--size", SIZE,
                   "--count", PACKETS)  # fmt: skip
        sink.wait()
        after = counters(env, guest, "vif")
        found = difference(before, after, *keys)
        env.check(found == wanted, f"{keys} are {found}, not {wanted}")
        before = after
    sink = guest.start_tool("frames", "count", name, "--count", PACKETS, "--seconds", 30)
    sink.await_line("ready")
    env.net.tool("frames", "send", tap, "--dst", mac, "--size", SIZE, "--count", PACKETS)
    sink.wait()
    keys = ("rx_packets", "rx_bytes", "tx_errors", "rx_dropped")
    packets, size, *errors = difference(before, counters(env, guest, "vif"), *keys)
    strays = packets - PACKETS
    env.check(0 <= strays < 20, f"{packets} packets for {PACKETS}")
    env.check(size >= PACKETS * (ETH_HEADER + SIZE), f"{size} bytes")
    env.check(not any(errors), f"{keys[2:]} are {errors}")
