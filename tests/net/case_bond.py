# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges on bonds and VLANs, and announcements after a failover."""

import time

import snapshot
from case_shapes import dom0_addresses, each_other, guests_on, outside_addresses
from netns import Failure, cable, check, need_link_type
from packets import ETH_P_RARP, Sniffer, mac_bytes, reaches
from rig import expect_matrix, guest_mac, link_local

# Seconds from the loss of a link, which the bond notices up to 0.1 s later (miimon), until the
# last guest has been announced.
SOON = 1.0


def need_bonding():
    need_link_type("bond", "bonding module", "mode active-backup miimon 100")


def need_vlans():
    need_link_type("vlan", "8021q module", "id 5")


def switch(rig, nics=("eth2", "eth3")):
    """A switch outside with a host on it, and a bond of two NICs on two of its ports."""
    outside = rig.space("switch")
    outside.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
               "link set br0 up")
    for nic in nics:
        cable(outside, f"to-{nic}", rig.dom0, nic)
        outside.ip(f"link set to-{nic} master br0")
    outside_addresses(outside, "br0", 0)
    rig.dom0.ip("link add bond0 type bond mode active-backup miimon 100",
                *(f"link set {nic} down" for nic in nics),
                *(f"link set {nic} master bond0" for nic in nics),
                "link set bond0 up")
    rig.await_(lambda: active(rig), "an active port of bond0")
    return outside


def active(rig, bond="bond0"):
    return rig.dom0.links()[bond]["linkinfo"]["info_data"].get("active_slave")


def fail_over(rig, outside, bond="bond0"):
    """Take the link of the active port away; returns the one that was, and the one that is."""
    old = active(rig, bond)
    outside.ip(f"link set to-{old} down")
    rig.await_(lambda: active(rig, bond) not in (None, old), "another active port", 10)
    return old, active(rig, bond)


def announced(sniffer, macs, limit=5.0):
    """Wait until each of these has been announced; returns when the last of them was."""
    wanted = {mac_bytes(m) for m in macs}

    def seen(frames):
        return wanted <= {f[6:12] for f in frames if f[12:14] == b"\x80\x35"}
    frames = sniffer.frames(limit, seen)
    missing = wanted - {f[6:12] for f in frames}
    check(not missing, f"not announced within {limit} s: {[m.hex() for m in missing]}")
    for frame in frames:
        check(frame[:6] == b"\xff" * 6 and frame[22:28] == frame[6:12], f"frame {frame.hex()}")
    return max(next(f.when for f in frames if f[6:12] == mac) for mac in wanted)


def bond(rig):
    """xenbr and gextbr on a bond: the same table, and dom0 keeps what it is."""
    need_bonding()
    outside = switch(rig)
    rig.dom0.ip("address add 10.0.0.1/24 dev bond0", "address add fd00:0::1/64 dev bond0",
                "route add default via 10.0.0.2")
    mac = rig.dom0.links()["bond0"]["address"]
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "xenbr0", "--netdev", "bond0")
    check(rig.dom0.links()["pbond0"]["master"] == "xenbr0", "pbond0 is not on xenbr0")
    check(rig.show()["xenbr0"]["uplink"]["kind"] == "bond", "kind of the uplink")
    pairs = guests_on(rig, "xenbr0", 0)
    expect_matrix(each_other(rig, (1, 2), "eth0", 0) + [
        (rig.guests[d], "eth0", a, True) for d, _ in pairs
        for a in ("10.0.0.1", "fd00:0::1", link_local(mac), "10.0.0.2", "fd00:0::2")])
    old, new = fail_over(rig, outside, "pbond0")
    check(reaches(rig.dom0, "bond0", "10.0.0.2", 15), f"dom0 after {old} -> {new}")
    outside.ip(f"link set to-{old} up")
    rig.bridge("delete", "xenbr0", "--force")
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    check(rig.dom0.links()["bond0"]["address"] == mac, "address of bond0")
    check(reaches(rig.dom0, "bond0", "10.0.0.2", 15), "dom0 after delete")
    again = snapshot.take(rig.dom0)
    for seen in (before, again):  # which port is active, and so what shows of it, may differ
        seen.pop("links")
    found = snapshot.differences(before, again)
    check(not found, f"after delete: {found[:5]}")

    rig.dom0.ip("address flush dev bond0")
    rig.bridge("create", "gextbr1", "--netdev", "bond0")
    pairs = guests_on(rig, "gextbr1", 0, (3, 4))
    expect_matrix(each_other(rig, (3, 4), "eth0", 0) + [
        (rig.guests[d], "eth0", a, True) for d, _ in pairs for a in ("10.0.0.2", "fd00:0::2")] + [
        (rig.guests[d], "eth0", a, False) for d, _ in pairs
        for a in dom0_addresses(rig) + [link_local(mac)] if a.startswith("fe80")], quiet=2.0)
    rig.bridge("delete", "gextbr1", "--force")


def bond_refused(rig):
    """Bonds that would not work: another mode, no monitoring, made of VLANs, empty."""
    need_bonding()
    rig.nic("eth5")
    rig.nic("eth6")
    with open(rig.config, "w", encoding="utf-8") as f:
        f.write("[bridge]\nnever = eth6\n")
    rig.dom0.ip("link set eth5 down", "link set eth6 down",
                "link add bond1 type bond mode balance-alb miimon 100",
                "link add bond2 type bond mode active-backup miimon 0",
                "link add bond3 type bond mode active-backup miimon 100",
                "link add bond4 type bond mode active-backup miimon 100",
                "link set eth5 master bond2", "link set eth6 master bond4",
                "link set bond2 up", "link set bond2 down",
                "link add bond5 type bond mode active-backup miimon 100 fail_over_mac active",
                "link add eth7 type veth peer name htee7", "link set eth7 master bond5")
    before = snapshot.take(rig.dom0)
    rig.refuse(3, "mode balance-alb", "create", "gextbr1", "--netdev", "bond1")
    rig.refuse(3, "miimon 100", "create", "gextbr1", "--netdev", "bond2")
    rig.refuse(3, "has no NIC", "create", "gextbr1", "--netdev", "bond3")
    rig.refuse(3, "bond4 over eth6 may never", "create", "gextbr1", "--netdev", "bond4")
    rig.refuse(3, "is used by bond2", "create", "gextbr1", "--netdev", "eth5")
    rig.refuse(3, "fail_over_mac none", "create", "xenbr0", "--netdev", "bond5", "--force")
    snapshot.expect_same(before, rig.dom0, [], "after refusals")
    rig.bridge("create", "gextbr1", "--netdev", "bond2", "--force")
    rig.bridge("delete", "gextbr1")
    snapshot.expect_same(before, rig.dom0, [], "after --force")


def failover(rig):
    """The hole of the manual: after a failover the switch learns where the guests are, at once."""
    need_bonding()
    outside = switch(rig)
    rig.dom0.ip("address add 10.0.0.1/24 dev bond0")
    rig.bridge("create", "xenbr0", "--netdev", "bond0")
    guests_on(rig, "xenbr0", 0)
    dom0 = rig.dom0.links()["bond0"]["address"]
    macs = [guest_mac(16), guest_mac(32), dom0]
    watch = rig.watch()
    took = []
    for turn in range(3):
        # The guests have spoken, and everybody knows them at the port that fails next.
        expect_matrix([(rig.guests[d], "eth0", "10.0.0.2", True) for d in (1, 2)])
        check(reaches(rig.dom0, "bond0", "10.0.0.2"), "dom0 does not reach the outside")
        sniffer = Sniffer(outside, "br0", ETH_P_RARP)
        begin = time.time()  # before the link goes down, so never later than the failover
        old, new = fail_over(rig, outside, "pbond0")
        took.append(announced(sniffer, macs) - begin)
        sniffer.close()
        print(f"  failover {turn + 1}: {old} -> {new}, announced {took[-1]:.2f} s "
              f"after the link went down")
        for mac in macs:
            fdb = [e for e in outside.json("fdb", "show", "br", "br0", program="bridge")
                   if e["mac"] == mac]
            check([e["ifname"] for e in fdb] == [f"to-{new}"], f"the switch has {mac} at {fdb}")
        expect_matrix([(outside, "br0", f"10.0.0.{10 + d}", True) for d in (1, 2)])
        outside.ip(f"link set to-{old} up")
        rig.await_(lambda nic=old: rig.dom0.links()[nic]["operstate"] == "UP",
                   "the link of the failed port")
    rig.stop(watch)
    # A machine that is busy with other things may hold up any of them, but hardly all.
    check(min(took) < SOON, f"announced after {', '.join(f'{t:.2f}' for t in took)} s")


def link_returns(rig):
    """The same for a single NIC whose link was away: it may be at another port of the switch."""
    outside = rig.nic("eth1")
    outside_addresses(outside, "to-eth1", 0)
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    guests_on(rig, "gextbr1", 0)
    expect_matrix(each_other(rig, (1, 2), "eth0", 0))
    watch = rig.watch()
    sniffer = Sniffer(outside, "to-eth1", ETH_P_RARP)
    outside.ip("link set to-eth1 down")
    rig.await_(lambda: "NO-CARRIER" in rig.dom0.links()["eth1"]["flags"], "a link that is away")
    outside.ip("link set to-eth1 up")
    announced(sniffer, [guest_mac(16), guest_mac(32)])
    sniffer.close()
    rig.stop(watch)
    check("has a link again" in rig.watch_logged(), rig.watch_logged())


def watch_ports(rig):
    """The watch closes bridges and ports that others make, and copes with many events."""
    rig.dom0.ip("link add gintbr5 type bridge", "link add br9 type bridge",
                "link add gintbr6 type bridge")
    watch = rig.watch()
    for bridge in ("gintbr5", "gintbr6"):
        rig.await_(lambda b=bridge: "bpf" in rig.dom0.run("tc", "filter", "show", "dev", b,
                                                          "ingress").stdout, f"filter on {bridge}")
    # more interfaces at once than fit into a socket's buffer
    rig.dom0.ip(*(f"link add v{i} type veth peer name w{i}" for i in range(300)))
    rig.dom0.ip(*(f"link del v{i}" for i in range(300)))
    rig.guest(1, 0, "gintbr5")
    rig.guest(2, 0, "br9")
    rig.await_guarded("vif1.0")
    rig.dom0.ip("link set vif2.0 master gintbr6")
    rig.await_guarded("vif2.0")
    check(not rig.dom0.run("tc", "filter", "show", "dev", "br9", "ingress").stdout,
          "a bridge of somebody else was closed")
    rig.stop(watch)
    if "cannot" in rig.watch_logged():
        raise Failure(rig.watch_logged())


def vlan(rig):
    """gextbr on a VLAN of the NIC that carries a xenbr, as in the manual's example."""
    need_vlans()
    outside = rig.nic("eth0")
    outside.ip("link add link to-eth0 name tag10 type vlan id 10",
               "link add link to-eth0 name tag20 type vlan id 20",
               "link set tag10 up", "link set tag20 up")
    outside_addresses(outside, "to-eth0", 0)
    outside_addresses(outside, "tag10", 1)
    outside_addresses(outside, "tag20", 2)
    rig.dom0.ip("address add 10.0.0.1/24 dev eth0")
    before = snapshot.take(rig.dom0)
    for _ in range(5):  # no residue
        rig.bridge("create", "xenbr0", "--netdev", "eth0")
        rig.bridge("create", "gextbr1", "--netdev", "peth0", "--vlan", "10")
        rig.bridge("create", "gextbr2", "--netdev", "peth0", "--vlan", "20")
        for bridge in ("gextbr1", "gextbr2", "xenbr0"):
            rig.bridge("delete", bridge)
        snapshot.expect_same(before, rig.dom0, [], "after delete")
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.bridge("create", "gextbr1", "--netdev", "peth0", "--vlan", "10")
    rig.refuse(3, "exists already", "create", "gextbr3", "--netdev", "peth0", "--vlan", "10")
    rig.dom0.ip("link add link peth0 name peth0.20 type vlan id 20")
    rig.bridge("create", "gextbr2", "--netdev", "peth0.20")
    check(rig.show()["gextbr1"]["uplink"]["vlan"] == 10, str(rig.show()["gextbr1"]))
    for number in (0, 1, 2):
        bridge = f"{'xenbr' if number == 0 else 'gextbr'}{number}"
        for domid in (1, 2):
            rig.guest(10 * number + domid, 0, bridge, number)
    rows = []
    for number in (0, 1, 2):
        domids = (10 * number + 1, 10 * number + 2)
        rows += each_other(rig, domids, "eth0", number)
        rows += [(rig.guests[d], "eth0", a, True) for d in domids
                 for a in (f"10.{number}.0.2", f"fd00:{number}::2")]
        # nobody of another VLAN, and dom0 from its own bridge alone
        rows += [(rig.guests[d], "eth0", link_local(guest_mac((10 * other + 1) * 16)), False)
                 for d in domids for other in (0, 1, 2) if other != number]
        rows += [(rig.guests[d], "eth0", link_local(rig.dom0.links()["eth0"]["address"]),
                  number == 0) for d in domids]
    expect_matrix(rows, quiet=2.0)
    for bridge in ("xenbr0", "gextbr2", "gextbr1"):
        rig.bridge("delete", bridge, "--force")
    check("eth0.20" not in rig.dom0.links() and "peth0.20" in rig.dom0.links(),
          "a VLAN of somebody else was deleted")


def bond_vlan(rig):
    """Both: VLANs on a bond that carries a xenbr, and announcements in each VLAN."""
    need_bonding()
    need_vlans()
    outside = switch(rig)
    outside.ip("link add link br0 name tag10 type vlan id 10", "link set tag10 up")
    outside_addresses(outside, "tag10", 1)
    rig.dom0.ip("address add 10.0.0.1/24 dev bond0")
    rig.bridge("create", "xenbr0", "--netdev", "bond0")
    rig.bridge("create", "gextbr1", "--netdev", "pbond0", "--vlan", "10")
    guests_on(rig, "xenbr0", 0, (1,))
    guests_on(rig, "gextbr1", 1, (2,))
    expect_matrix([(rig.guests[1], "eth0", "10.0.0.2", True),
                   (rig.guests[2], "eth0", "10.1.0.2", True)])
    watch = rig.watch()
    untagged, tagged = (Sniffer(outside, name, ETH_P_RARP) for name in ("br0", "tag10"))
    fail_over(rig, outside, "pbond0")
    announced(untagged, [guest_mac(16)])
    announced(tagged, [guest_mac(32)])
    expect_matrix([(outside, "br0", "10.0.0.11", True), (outside, "tag10", "10.1.0.12", True)])
    rig.stop(watch)
    for bridge in ("gextbr1", "xenbr0"):
        rig.bridge("delete", bridge, "--force")


CASES = [bond, bond_refused, failover, link_returns, watch_ports, vlan, bond_vlan]
