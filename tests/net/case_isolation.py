# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames that no honest guest sends: nothing gets to dom0's programs, and nothing comes back."""

import packets
from case_shapes import dom0_nic
from netns import check
from packets import Listener, Sniffer
from rig import PORT_MAC, guest_mac, link_local

# The group addresses of IEEE 802.1D that a bridge keeps for itself, and some that it floods.
GROUPS = ["01:80:c2:00:00:00", "01:80:c2:00:00:02", "01:80:c2:00:00:03", "01:80:c2:00:00:0e",
          "01:80:c2:00:00:0f", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"]


def shoot(guest_port, source_mac, macs, targets):
    """UDP to each of dom0's addresses in frames to each of the MAC addresses, and questions for
    the addresses themselves."""
    for mac in macs:
        for address in targets:
            tag = f"{mac} {address}".encode()
            if ":" in address:
                frame = packets.udp6(source_mac, mac, link_local(source_mac), address, tag)
            else:
                frame = packets.udp4(source_mac, mac, "10.0.0.77", address, tag)
            guest_port.send(frame)
    for address in targets:
        if ":" in address:
            guest_port.send(packets.neighbour_solicitation(source_mac, link_local(source_mac),
                                                           address))
        else:
            guest_port.send(packets.arp_request(source_mac, "10.0.0.77", address))


def from_dom0(frame, targets, macs):
    """Does this frame come from dom0's stack? By its source addresses."""
    import socket
    source = ":".join(f"{b:02x}" for b in frame[6:12])
    raw = [socket.inet_pton(socket.AF_INET6 if ":" in t else socket.AF_INET, t) for t in targets]
    return source in macs or any(r in frame[14:54] for r in raw)


def attack(rig, domid, targets, dom0_macs):
    """What gets through from a guest: (datagrams that dom0 received, frames that came back)."""
    guest, source = rig.guests[domid], guest_mac(domid * 16)
    listener, port = Listener(rig.dom0), Sniffer(guest, "eth0")
    try:
        shoot(port, source, [PORT_MAC, *dom0_macs, *GROUPS], targets)
        datagrams = listener.datagrams(0.5)
        back = [f for f in port.frames(0.5) if from_dom0(f, targets, dom0_macs)]
    finally:
        listener.close()
        port.close()
    return datagrams, back


def prepare(rig):
    dom0_nic(rig)
    rig.nic("eth1")
    # as a host is set up whose administrator thinks of nothing but its guests
    for which in ("all", "default"):
        rig.dom0.sysctl(f"ipv4/conf/{which}/rp_filter", 0)
    macs = [link["address"] for link in rig.dom0.links().values() if link["ifname"] != "lo"]
    targets = ["10.0.0.1", "fd00:0::1"] + [link_local(m) for m in macs] + [link_local(PORT_MAC)]
    return targets, macs


def plain_bridge(rig):
    """That the attack is one: on a bridge made without xenpv, it gets through."""
    targets, macs = prepare(rig)
    rig.dom0.ip("link add br0 type bridge stp_state 0 forward_delay 0", "link set br0 up",
                "link set eth1 master br0")
    rig.guest(1, 0, "br0")
    rig.await_up("vif1.0", "br0")
    expected = {"ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e", "01:80:c2:00:00:02"}
    reached, came_back = set(), False

    def succeeds():
        nonlocal came_back
        datagrams, back = attack(rig, 1, targets, macs)
        reached.update(d.split()[0] for d in datagrams)
        came_back = came_back or bool(back)
        return expected <= reached and came_back

    # A busy machine may not deliver all of it within one attack's half second.
    rig.await_(succeeds, lambda: f"got through by {sorted(reached)}, came back: {came_back}")


def isolated(rig, create):
    targets, macs = prepare(rig)
    rig.bridge("create", *create)
    rig.watch()
    rig.guest(1, 0, create[0])
    rig.await_guarded("vif1.0")
    rig.await_up("vif1.0", create[0])
    datagrams, back = attack(rig, 1, targets, macs)
    check(not datagrams, f"got through: {sorted(datagrams)[:5]}")
    check(not back, f"came back: {[f[:40].hex() for f in back[:3]]}")
    # Nor with somebody listening on the bridge, which makes it take every frame.
    rig.dom0.ip(f"link set {create[0]} promisc on")
    datagrams, back = attack(rig, 1, targets, macs)
    check(not datagrams and not back, f"got through while listening: {datagrams} {back}")


def gextbr_frames(rig):
    isolated(rig, ["gextbr1", "--netdev", "eth1"])


def gintbr_frames(rig):
    isolated(rig, ["gintbr3"])


def silence(rig):
    """dom0 says nothing of its own on bridges that it has no part in."""
    prepare(rig)
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    outside = rig.spaces[-1]
    port = Sniffer(outside, "to-eth1")
    try:
        # Were there a stack behind it, it would look for routers and join groups by now.
        rig.dom0.ip("link set gextbr1 down", "link set gextbr1 up", "link set eth1 down",
                    "link set eth1 up")
        frames = port.frames(2.0)
    finally:
        port.close()
    check(not frames, f"dom0 sent {[f.hex() for f in frames[:3]]}")


CASES = [plain_bridge, gextbr_frames, gintbr_frames, silence]
