# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic between a guest and its host, with the data compared at both ends."""

FAMILIES = (4, 6)


def exercise(env, guest, number=0, size="256K", families=FAMILIES, payload=1400):
    """Data each way over TCP and UDP; fails unless all of it arrives as it was sent."""
    env.net.serve()
    hosts = [guest.host_address(number, family) for family in families]
    # The exit status says that each of the transfers was whole.
    guest.traffic("all", *hosts, "--bytes", size, "--size", payload)


def guest_exercise(env, guest, other, hosts=None, payload=1400):
    """The same between two guests; @hosts: addresses of @other if not those of its bridge."""
    if not other.serving:
        other.serving = other.start_tool("traffic", "serve", "--seconds", 600)
        other.serving.await_line("port")
    hosts = hosts or [other.address(), other.address(family=6)]
    guest.traffic("all", *hosts, "--bytes", "256K", "--size", payload)


def alive(env, guest, number=0):
    """A little of it, to see that an interface works."""
    exercise(env, guest, number, size="64K", families=(4,))


def stream(env, guest, number=0, rate="1M", host=None):
    """
    A TCP stream to the host and back, under way; see nics.Running. @host: the address of a server
    that is elsewhere.
    """
    if host is None:
        env.net.serve()
        host = guest.host_address(number)
    job = guest.start_tool(
        "traffic", "stream", host, "--seconds", 3600, "--rate", rate,
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
