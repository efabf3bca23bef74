# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own hotplug scripts beside vif-bridge, unchanged, with interfaces of our daemon."""

from harness import Nic, case, traffic

OVS = "/usr/share/openvswitch/scripts/ovs-ctl"


def tap(guest, handle):
    return f"vif{guest.domid}.{handle}"


def attach(guest, address, peer, nic):
    """An interface with one address and a route to dom0's; its handle."""
    handle = guest.attach_nic(nic)
    interface = guest.interface(handle)
    guest.run(
        f"ip link set {interface} up && ip addr add {address}/32 dev {interface} && "
        f"ip route add {peer} dev {interface}"
    )
    return handle


def way_to(env, address):
    """The interface by which dom0 reaches an address."""
    words = env.host.run(f"ip route get {address}").out.split()
    return words[words.index("dev") + 1]


def route(env, guest):
    """vif-route: dom0's own address on the tap, and a route to the guest's."""
    env.host.run(
        "modprobe dummy && ip link add outside0 type dummy && ip link set outside0 up && "
        "ip addr add 192.0.2.1/24 dev outside0"
    )
    nic = Nic("", "", {"ip": "10.66.0.2", "script": "vif-route", "gatewaydev": "outside0"})
    handle = attach(guest, "10.66.0.2", "192.0.2.1", nic)
    way = way_to(env, "10.66.0.2")
    env.check(way == tap(guest, handle), f"dom0 reaches the guest by {way}")
    traffic.compare(guest, ["192.0.2.1"], size="64K")
    guest.detach_nic(handle)
    left = env.host.run("ip route show 10.66.0.2").out
    env.check(not left, f"a route is left: {left}")
    env.host.run("ip link del outside0")


def nat(env, guest):
    """vif-nat: an address in the guest's network on the tap, 127 above the guest's."""
    nic = Nic("", "", {"ip": "10.67.0.2/24", "script": "vif-nat"})
    handle = attach(guest, "10.67.0.2", "10.67.0.129", nic)
    way = way_to(env, "10.67.0.2")
    env.check(way == tap(guest, handle), f"dom0 reaches the guest by {way}")
    traffic.compare(guest, ["10.67.0.129"], size="64K")
    guest.detach_nic(handle)


def openvswitch(env, guest):
    """vif-openvswitch: a port of an Open vSwitch bridge; it stays one over a restart."""
    env.host.run(f"{OVS} --system-id=random start", timeout=60)
    try:
        env.host.run(
            "ovs-vsctl add-br ovsbr0 && ip addr add 10.68.0.1/24 dev ovsbr0 && "
            "ip link set ovsbr0 up"
        )
        nic = Nic("ovsbr0", "", {"script": "vif-openvswitch"})
        handle = attach(guest, "10.68.0.2", "10.68.0.1", nic)
        bridge = env.host.run(f"ovs-vsctl port-to-br {tap(guest, handle)}").out.strip()
        env.check(bridge == "ovsbr0", f"the tap is a port of {bridge}")
        traffic.compare(guest, ["10.68.0.1"], size="64K")
        env.backend.restart()
        traffic.compare(guest, ["10.68.0.1"], size="64K")
        guest.detach_nic(handle)
        ports = env.host.run("ovs-vsctl list-ports ovsbr0").out
        env.check(not ports, f"a port is left: {ports}")
        env.host.run("ovs-vsctl del-br ovsbr0")
    finally:
        env.host.run(f"{OVS} stop", timeout=60, check=False)


@case(benches="lab", frontend="xen-vnif", guests="pvh", slow=True, timeout=300)
def stock_network_scripts(env):
    """vif-route, vif-nat and vif-openvswitch: data through each, and nothing left behind."""
    env.host.start("/lab/bin/traffic serve --seconds 3600", timeout=3600)
    guest = env.guest()
    for part in (route, nat, openvswitch):
        part(env, guest)
