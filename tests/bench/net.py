# SPDX-License-Identifier: GPL-2.0-or-later
"""Network throughput in the lab: xen-vnif and the stock frontend, alternately, on each backend.

tests/bench/README.md has the method.
"""

import re

from harness import traffic

from . import costs

NAME = "net"
OURS, STOCK = "xen-vnif", "xen-netfront"
FRONTENDS = (OURS, STOCK)
BACKENDS = ("xenpv-backendd", "netback")
STOCK_BACKEND = "netback"
PER = "packet"
INTERRUPTS = re.compile(r"\b(eth\d+|enX\d+|vif\d*|xen-vnif)\b.*")
SERVER = "/lab/bin/traffic serve --seconds 3600"

# name: the figure that is compared
WORKLOADS = {
    "UDP 64 tx": "packets/s",
    "UDP 64 rx": "packets/s",
    "UDP 256 tx": "packets/s",
    "UDP 256 rx": "packets/s",
    "UDP 1448 tx": "packets/s",
    "UDP 1448 rx": "packets/s",
    "TCP 1 stream tx": "Mbit/s",
    "TCP 1 stream rx": "Mbit/s",
    "TCP 4 streams tx": "Mbit/s",
    "TCP 4 streams rx": "Mbit/s",
    "TCP round trips": "1/s",
    "guest to guest UDP 64": "packets/s",
    "guest to guest TCP": "Mbit/s",
}
COUNTED = ("UDP 64 tx", "UDP 64 rx", "UDP 1448 tx", "UDP 1448 rx")


def workload_unit(name):
    return WORKLOADS[name]


def blast(guest, address, name, seconds):
    """One run of UDP datagrams; what the receiver counted."""
    size = next(word for word in name.split() if word.isdigit())
    reverse = "--reverse" if name.endswith("rx") else ""
    command = f"traffic blast {address} {reverse} --size {size} --seconds {seconds}"
    return traffic.result(guest.run(command, timeout=60).out)


def _streams(guest, address, number, direction, seconds):
    """Mbit/s of so many TCP streams at the same time."""
    verb = "send" if direction == "tx" else "receive"
    one = f"traffic {verb} {address} --seconds {seconds} --no-check"
    jobs = "; ".join(f"{one} >/tmp/stream.{n} & p{n}=$!" for n in range(number))
    ends = " && ".join(f"wait $p{n}" for n in range(number))
    guest.run(f"{jobs}; {ends}", timeout=120)
    outputs = [guest.run(f"cat /tmp/stream.{n}").out for n in range(number)]
    return sum(traffic.result(text)["mbit_s"] for text in outputs)


def _pings(guest, address, count=200):
    done = traffic.result(guest.run(f"traffic pingpong {address} --count {count}").out)
    return done["count"] / done["seconds"]


def _measure(guest, address, peer, name, seconds):
    if name.startswith("UDP"):
        return blast(guest, address, name, seconds)["received_pps"]
    if name == "TCP round trips":
        return _pings(guest, address)
    if name == "guest to guest TCP":
        return _streams(guest, peer, 1, "tx", seconds)
    if name.startswith("guest to guest"):
        return blast(guest, peer, name + " tx", seconds)["received_pps"]
    _, number, _, direction = name.split()
    return _streams(guest, address, int(number), direction, seconds)


def measure_guest(env, seconds, _number):
    """All workloads once in two fresh guests; returns (results, what a packet costs)."""
    network = env.network()
    env.host.start(SERVER, timeout=3600)
    guests = [env.guest(nics=[network.nic()], vcpus=vcpus, memory=192) for vcpus in (2, 1)]
    peers = [network.join(guest)[1] for guest in guests]
    guest, other = guests
    other.start(SERVER.replace("/lab/bin/", ""))
    address, peer = network.addresses(1)[0], peers[1][0]
    whole = max(1, round(seconds))
    results = {}
    for name, unit in WORKLOADS.items():
        results[name] = {unit: _measure(guest, address, peer, name, whole)}
    prices = {}
    for name in COUNTED:
        done, found = costs.count(
            env, guest, INTERRUPTS, lambda name=name: blast(guest, address, name, 1)
        )
        packets = done["received"] if name.endswith("rx") else done["sent"]
        prices[name] = {"packets": packets, **{k: n / packets for k, n in found.items()}}
    return results, prices


def measure_host(_env, _seconds):
    """Nothing to compare with: dom0 alone has no ring."""
    return {}
