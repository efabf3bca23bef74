# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs with static grants: no grant operation at either end."""

from bench import costs
from bench import net as workloads
from harness import case

# Dom0 has other things to do, the guest's balloon perhaps.
NEARLY_NONE = 0.05


@case(benches="lab", frontend="xen-vnif", guests="pv", slow=True, timeout=240)
def packets_cost_no_grant_operation(env):
    """Grant hypercalls a packet, from Xen's trace, of guest and dom0: 0.0."""
    network = env.network()
    env.host.start(workloads.SERVER, timeout=3600)
    guest = env.guest(nics=[network.nic()], vcpus=2)
    network.join(guest)
    address = network.addresses(1)[0]
    for name in workloads.COUNTED:
        done, found = costs.count(
            env,
            guest,
            workloads.INTERRUPTS,
            lambda name=name: workloads.blast(guest, address, name, 1),
        )
        packets = done["received"] if name.endswith("rx") else done["sent"]
        env.check(packets > 200, f"{name}: only {packets} packets")
        for key, number in found.items():
            env.note(f"{name.replace(' ', '_')}_{key}", f"{number / packets:.3f}")
        for side in ("guest", "host"):
            grants = found[f"{side}_grant_table_ops"] / packets
            env.check(grants < NEARLY_NONE, f"{name}: {grants:.3f} grant operations of {side}")
