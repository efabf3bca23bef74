# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic between a guest and its host, with the data compared at both ends."""

import itertools

FAMILIES = (4, 6)
PROTOS = ("tcp", "udp")
WAYS = ("send", "receive")


def exercise(env, guest, number=0, size="256K", families=FAMILIES, protos=PROTOS, payload=1400):
    """Data each way over each protocol; fails unless all of it arrives as it was sent."""
    env.net.serve()
    for family, proto, way in itertools.product(families, protos, WAYS):
        host = guest.host_address(number, family)
        result = guest.traffic(way, host, "--proto", proto, "--bytes", size, "--size", payload)
        env.check(result["intact"], f"{way} {proto} over IPv{family}: {result}")


def alive(env, guest, number=0):
    """A little of it, to see that an interface works."""
    exercise(env, guest, number, size="64K", families=(4,))


def stream(env, guest, number=0, rate="1M"):
    """A TCP stream to the host and back, under way; see nics.Running."""
    env.net.serve()
    job = guest.start_tool(
        "traffic", "stream", guest.host_address(number), "--seconds", 3600, "--rate", rate,
        "--progress", 20, "--timeout", 120,
    )  # fmt: skip
    job.await_more(1)
    return job


def finish(env, job):
    """End a stream; it has to be whole."""
    result = job.stop()
    env.check(result["intact"], f"the stream is not whole: {result}")
    return result


def used(guest):
    """Event channels and grants of a guest, to see what is left behind."""
    return guest.read("/proc/interrupts").count("xen-shim"), guest.grants()
