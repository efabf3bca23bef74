# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's interfaces: the stock frontend and the test backend."""

from harness import Nic, case

from uml.netload import exercise, used


@case(benches="uml", frontend="xen-netfront xen-vnif", backend="testback-vif", net=True)
def net_plain_backend(env):
    """A backend without segmentation, several queues or a control ring; attach and detach."""
    bridge = env.net.bridge()
    guest = env.guest(nics=[Nic(bridge)])
    guest.configure()
    exercise(env, guest)
    guest.detach_nic(0)
    before = used(guest)
    guest.attach_nic(Nic(bridge))
    guest.configure()
    exercise(env, guest, size="64K", families=(6,))
    guest.detach_nic(0)
    env.check(used(guest) == before, f"event channels and grants: {before}, then {used(guest)}")
