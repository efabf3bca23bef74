# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest agent costs, measured on a real xenstored."""

import os
import subprocess
import time

from harness import case
from harness.golden import compare, listed

from uml.process import Process

HOME = "/local/domain/0"  # a client of the socket is dom0 to xenstored
# What it may cost: ticks of a processor in ten seconds, KiB resident, nodes. One tick is 0.1 %,
# and what is seen on a quiet machine; a burst of its own events on a busy one may take some.
TICKS_MAX = 5
SECONDS = 10
RSS_MAX = 8192
NODES_MAX = 200


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
        fields = stream.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


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


@case(benches="uml", kernels="plain", frontend="none", timeout=120)
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
        spent, woken = ticks(agent.pid), wakeups(agent.pid)
        time.sleep(SECONDS)  # the measurement itself
        spent, woken = ticks(agent.pid) - spent, wakeups(agent.pid) - woken
        rss = resident(agent.pid)
        env.check(agent.running, f"the agent ended: {agent.text()}")
    finally:
        agent.kill()
    env.note("ticks", spent)
    env.note("wakeups", woken)
    env.note("rss_kib", rss)
    env.note("nodes", len(nodes))
    env.note("golden", compare(nodes))
    env.check(spent <= TICKS_MAX, f"{spent} ticks in {SECONDS} s, woken {woken} times")
    env.check(rss < RSS_MAX, f"{rss} KiB resident")
    env.check(len(nodes) <= NODES_MAX, f"{len(nodes)} nodes")
