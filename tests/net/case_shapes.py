# SPDX-License-Identifier: GPL-2.0-or-later
"""The four shapes: who reaches whom, with IPv4, IPv6, and IPv6 link-local addresses."""

import snapshot
from netns import check
from packets import reaches
from rig import expect_matrix, guest_mac, link_local

LODEV_MAC = "02:17:42:2F:00:01"


def dom0_nic(rig, name="eth0", subnet=0):
    """A NIC with dom0's addresses on it, and the outside at its other end."""
    outside = rig.nic(name)
    rig.dom0.ip(f"address add 10.{subnet}.0.1/24 dev {name}",
                f"address add fd00:{subnet}::1/64 dev {name}")
    outside_addresses(outside, f"to-{name}", subnet)
    return outside


def outside_addresses(outside, interface, subnet):
    outside.ip(f"address add 10.{subnet}.0.2/24 dev {interface}",
               f"address add fd00:{subnet}::2/64 dev {interface}")


def addresses_of(ns, interface):
    """IPv4 and IPv6 addresses of an interface, without what the kernel is still checking."""
    return [a["local"] for a in ns.json("address", "show", "dev", interface)[0]["addr_info"]]


def on_link(guest, interface, addresses):
    """Routes to addresses outside the guest's subnet, as if they were on its wire."""
    for address in addresses:
        if not address.startswith("fe80"):
            family = "-6" if ":" in address else "-4"
            guest.run("ip", family, "route", "replace", address, "dev", interface)


def dom0_addresses(rig):
    found = []
    for link in rig.dom0.json("address", "show"):
        if link["ifname"] != "lo":
            found += [a["local"] for a in link["addr_info"]]
    return sorted(set(found))


def guest_rows(rig, pairs, addresses, wanted):
    return [(rig.guests[d], i, a, wanted) for d, i in pairs for a in addresses]


def each_other(rig, domids, interface, subnet, handle=0):
    rows = []
    for a in domids:
        for b in domids:
            if a != b:
                for address in (f"10.{subnet}.0.{10 + b}", f"fd00:{subnet}::{10 + b}",
                                link_local(guest_mac(b * 16 + handle))):
                    rows.append((rig.guests[a], interface, address, True))
    return rows


def guests_on(rig, bridge, subnet, domids=(1, 2)):
    for domid in domids:
        rig.guest(domid, 0, bridge, subnet)
    return [(domid, "eth0") for domid in domids]


def xenbr(rig):
    """Shape 1: outside yes, dom0 yes; dom0 keeps what it is."""
    outside = dom0_nic(rig)
    rig.dom0.ip("route add default via 10.0.0.2", "route add default via fd00:0::2")
    before = snapshot.take(rig.dom0)
    mac = rig.dom0.links()["eth0"]["address"]
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    links = rig.dom0.links()
    check(links["peth0"]["master"] == "xenbr0" and links["vif0.0"]["master"] == "xenbr0",
          f"ports of xenbr0: {links}")
    check(links["eth0"]["address"] == mac, "dom0's address changed")
    data = links["xenbr0"]["linkinfo"]["info_data"]
    check(data["stp_state"] == 0 and data["forward_delay"] == 0, f"STP: {data}")
    check(data["bridge_id"] == "8000.fe:ff:ff:ff:ff:ff", f"bridge id {data['bridge_id']}")
    dom0 = dom0_addresses(rig)
    pairs = guests_on(rig, "xenbr0", 0)
    check(link_local(mac) in dom0, f"dom0's link-local address is not in {dom0}")
    there = addresses_of(outside, "to-eth0")
    rows = each_other(rig, (1, 2), "eth0", 0)
    rows += guest_rows(rig, pairs, dom0 + there, True)
    rows += [(rig.dom0, "eth0", a, True) for a in there]
    rows += [(rig.dom0, "eth0", f"10.0.0.{10 + d}", True) for d in (1, 2)]
    rows += [(rig.dom0, "eth0", link_local(guest_mac(d * 16)), True) for d in (1, 2)]
    rows += [(outside, "to-eth0", a, True) for a in dom0]
    expect_matrix(rows)
    rig.bridge("delete", "xenbr0", "--force")
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    snapshot.expect_same(before, rig.dom0, [], "after delete")
    check(reaches(rig.dom0, "eth0", "10.0.0.2"), "dom0 does not reach the outside any more")


def gextbr(rig):
    """Shape 2: outside yes, dom0 no, not even over IPv6 link-local addresses."""
    dom0_nic(rig)
    outside = rig.nic("eth1")
    outside_addresses(outside, "to-eth1", 1)
    nic_link_local = link_local(rig.dom0.links()["eth1"]["address"])
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    eth1 = rig.dom0.links()["eth1"]
    check(eth1["master"] == "gextbr1" and "NOARP" in eth1["flags"] and "UP" in eth1["flags"]
          and "MULTICAST" not in eth1["flags"], f"eth1 is {eth1['flags']}")
    for name in ("eth1", "gextbr1"):
        check(addresses_of(rig.dom0, name) == [], f"dom0 has addresses on {name}")
    pairs = guests_on(rig, "gextbr1", 1)
    dom0 = dom0_addresses(rig) + [nic_link_local]
    for domid, interface in pairs:
        on_link(rig.guests[domid], interface, dom0)
    there = addresses_of(outside, "to-eth1")
    rows = each_other(rig, (1, 2), "eth0", 1)
    rows += guest_rows(rig, pairs, there, True)
    rows += guest_rows(rig, pairs, dom0, False)
    rows += [(outside, "to-eth1", a, True) for a in ("10.1.0.11", "10.1.0.12", "fd00:1::11")]
    rows += [(outside, "to-eth1", a, False) for a in dom0 if a.startswith("fe80")]
    expect_matrix(rows, quiet=2.0)
    rig.bridge("delete", "gextbr1", "--force")
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    snapshot.expect_same(before, rig.dom0, [], "after delete")


def intbr(rig):
    """Shape 3: outside no, dom0 yes."""
    outside = dom0_nic(rig)
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip",
               "10.2.0.1/24", "--ip", "fd00:2::1/64")
    eth2 = rig.dom0.links()["eth2"]
    check(eth2["address"] == LODEV_MAC.lower(), f"eth2 has {eth2['address']}")
    check(rig.dom0.links()["vif0.2"]["address"] == "fe:ff:ff:ff:ff:ff", "address of vif0.2")
    pairs = guests_on(rig, "intbr2", 2)
    there = addresses_of(outside, "to-eth0")
    # Were dom0 a router, the outside would be reached through it.
    rig.dom0.sysctl("ipv4/ip_forward", 1)
    rig.dom0.sysctl("ipv6/conf/all/forwarding", 1)
    outside.ip("route add default via 10.0.0.1", "route add default via fd00:0::1")
    for domid, _ in pairs:
        rig.guests[domid].ip("route add default via 10.2.0.1",
                             "route add default via fd00:2::1")
    dom0 = ["10.2.0.1", "fd00:2::1", link_local(LODEV_MAC), "10.0.0.1"]
    rows = each_other(rig, (1, 2), "eth0", 2)
    rows += guest_rows(rig, pairs, dom0, True)
    rows += guest_rows(rig, pairs, there, False)
    rows += [(rig.dom0, "eth2", a, True) for a in ("10.2.0.11", "fd00:2::12")]
    rows += [(outside, "to-eth0", a, False) for a in ("10.2.0.11", "fd00:2::11", "10.2.0.12")]
    rows += [(outside, "to-eth0", "10.0.0.1", True)]
    expect_matrix(rows, quiet=2.0)
    rig.dom0.sysctl("ipv4/ip_forward", 0)
    rig.dom0.sysctl("ipv6/conf/all/forwarding", 0)
    rig.bridge("delete", "intbr2", "--force")
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    snapshot.expect_same(before, rig.dom0, [], "after delete")


def gintbr(rig):
    """Shape 4: guests among themselves."""
    outside = dom0_nic(rig)
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "gintbr3")
    check(addresses_of(rig.dom0, "gintbr3") == [], "dom0 has addresses on gintbr3")
    pairs = guests_on(rig, "gintbr3", 3)
    others = dom0_addresses(rig) + addresses_of(outside, "to-eth0")
    for domid, interface in pairs:
        on_link(rig.guests[domid], interface, others)
    expect_matrix(each_other(rig, (1, 2), "eth0", 3) + guest_rows(rig, pairs, others, False),
                  quiet=2.0)
    rig.bridge("delete", "gintbr3", "--force")
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    snapshot.expect_same(before, rig.dom0, [], "after delete")


def sample(rig):
    """The manual's example: all four at once, three guests on each, and then none."""
    outside = [dom0_nic(rig), rig.nic("eth1")]
    outside_addresses(outside[1], "to-eth1", 1)
    rig.dom0.ip("route add default via 10.0.0.2")
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    rig.bridge("create", "intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip",
               "192.168.1.10/24")
    rig.bridge("create", "gintbr3")
    bridges = ["xenbr0", "gextbr1", "intbr2", "gintbr3"]
    for domid in (1, 2, 3):
        for handle, bridge in enumerate(bridges):
            guest = rig.guest(domid, handle, bridge, handle)
        guest.ip(f"address add 192.168.1.{20 + domid}/24 dev eth2")
    rows = []
    for handle in range(4):
        rows += each_other(rig, (1, 2, 3), f"eth{handle}", handle, handle)
    for domid in (1, 2, 3):
        guest = rig.guests[domid]
        dom0 = {"eth0": "10.0.0.1", "eth2": "192.168.1.10"}
        rows += [(guest, "eth0", "10.0.0.2", True), (guest, "eth1", "10.1.0.2", True)]
        rows += [(guest, i, a, True) for i, a in dom0.items()]
        # Nor is anything of dom0 to be found from the two bridges that it has no part in.
        for interface in ("eth1", "eth3"):
            rows += [(guest, interface, a, False) for a in dom0_addresses(rig)
                     if a.startswith("fe80")]
    expect_matrix(rows, quiet=2.0)
    shown = rig.show()
    check(sorted(shown) == sorted(bridges), f"shown: {sorted(shown)}")
    check([g["interface"] for g in shown["gintbr3"]["guests"]] == ["vif1.3", "vif2.3", "vif3.3"],
          f"guests of gintbr3: {shown['gintbr3']['guests']}")
    check(shown["intbr2"]["dom0_interface"] == {"interface": "eth2", "mac": LODEV_MAC},
          f"dom0 on intbr2: {shown['intbr2']}")
    for bridge in reversed(bridges):
        rig.bridge("delete", bridge, "--force")
    rig.dom0.ip(*(f"link del vif{d}.{h}" for d in (1, 2, 3) for h in range(4)))
    snapshot.expect_same(before, rig.dom0, [], "after all were deleted")
    check(reaches(rig.dom0, "eth0", "10.0.0.2"), "dom0 does not reach the outside any more")


CASES = [xenbr, gextbr, intbr, gintbr, sample]
