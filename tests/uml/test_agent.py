# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest agent costs, measured on a real xenstored."""

import os
import signal
import subprocess
import time

from harness import case
from harness.golden import compare, listed

from uml.process import Process

HOME = "/local/domain/0"  # a client of the socket is dom0 to xenstored
# What it may cost: share of a processor, KiB resident, nodes.
CPU_MAX = 0.001
RSS_MAX = 8192
NODES_MAX = 200
# The cheapest of each counts. A busy machine disturbs some: it is short of memory or slow with a
# disk, of which the kernel tells the agent.
WINDOWS = 2
SECONDS = 6
REPORTS = 5
INTERVAL = 60  # seconds between reports, the default


def cpu(pid):
    """Seconds of CPU time used so far, to the nanosecond."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3), for any process


def wakeups(pid):
    """How often its threads have gone to sleep by themselves."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as stream:
            total += int(stream.read().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return int(stream.read().partition("\nVmRSS:")[2].split()[0])


def idle_cost(pid):
    """CPU seconds and wake-ups in the quietest window, which is what is measured."""
    found = []
    for _ in range(WINDOWS):
        spent, woken = cpu(pid), wakeups(pid)
        time.sleep(SECONDS)
        found.append((cpu(pid) - spent, wakeups(pid) - woken))
    return min(found)


def report_cost(agent, updated):
    """CPU seconds of a report of everything, which is more than what it does each minute."""
    found = []
    for _ in range(REPORTS):
        while updated.get(0.2):
            pass
        spent = cpu(agent.pid)
        agent.signal(signal.SIGHUP)
        if not updated.get(60):
            raise AssertionError("no report on SIGHUP")
        found.append(cpu(agent.pid) - spent)
    return min(found)


@case(benches="uml", kernels="plain", frontend="none", timeout=180)
def agent_is_frugal(env):
    """The idle agent takes no processor time and little memory; xenstore-ls shows what it wrote."""
    # In a network and mount namespace of its own, where nothing happens while we measure.
    agent = Process(
        ["unshare", "--map-root-user", "--net", "--mount", "--propagation", "private",
         str(env.tools / "bin/xenpv-agent"), "--config=/dev/null"],
        env.logs / "agent.log",
        env={**env.environ, "RUNTIME_DIRECTORY": str(env.scratch)},
    )  # fmt: skip
    try:
        env.await_(lambda: env.store.read(f"{HOME}/data/updated"), "the agent's report", 60)
        shown = subprocess.run(
            ["xenstore-ls", "-f", HOME],
            env=env.environ, timeout=60, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        nodes = listed(shown, HOME)
        idle, woken = idle_cost(agent.pid)
        report = report_cost(agent, env.store.watch(f"{HOME}/data/updated"))
        rss = resident(agent.pid)
        env.check(agent.running, f"the agent ended: {agent.text()}")
    finally:
        agent.kill()
    share = idle / SECONDS + report / INTERVAL
    env.note("cpu_percent", round(100 * share, 4))
    env.note("idle_us", round(idle * 1e6))
    env.note("report_us", round(report * 1e6))
    env.note("wakeups", woken)
    env.note("rss_kib", rss)
    env.note("nodes", len(nodes))
    env.note("golden", compare(nodes))
    env.check(
        share < CPU_MAX,
        f"{share:.2%} of a processor: {idle} s in {SECONDS} s, woken {woken} times, "
        f"and {report} s for a report",
    )
    env.check(rss < RSS_MAX, f"{rss} KiB resident")
    env.check(len(nodes) < NODES_MAX, f"{len(nodes)} nodes")
