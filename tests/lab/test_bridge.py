# SPDX-License-Identifier: GPL-2.0-or-later
"""xenpv bridge on what only dom0's kernel has: bonds and VLANs."""

from harness import case


def run(env, *cases):
    """Bridge tests that need bonding or 8021q, in network namespaces of dom0."""
    env.host.run("modprobe -a bonding 8021q bridge veth sch_ingress cls_bpf")
    done = env.host.run(
        "cd /tmp && PYTHONDONTWRITEBYTECODE=1 python3 /lab/net/run-bridge-tests "
        f"--program /usr/sbin/xenpv --fault-program /lab/net/xenpv-faulty {' '.join(cases)}",
        timeout=400,
        check=False,
    )
    lines = done.out.splitlines()
    passed = [line for line in lines if line.startswith("PASS")]
    env.note("passed", len(passed))
    others = [line for line in lines if line.startswith(("FAIL", "SKIP"))]
    env.check(len(passed) == len(cases), "; ".join(others) or done.err[-300:])


@case(benches="lab", guests="pv", slow=True, timeout=420)
def bridges_on_bonds_and_vlans(env):
    """All tests of bonds and VLANs, a rollback among them."""
    names = "bond bond-refused failover vlan bond-vlan persist-vlan rollback-vlan"
    run(env, *names.split())
