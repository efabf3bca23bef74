# SPDX-License-Identifier: GPL-2.0-or-later
"""What dom0 has of an intbr: its addresses, its settings, and the rules that guard it."""

import snapshot
from case_shapes import LODEV_MAC
from netns import check
from packets import Sniffer, reaches, router_advertisement
from rig import guest_mac, link_local

INTBR = ["intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip", "192.168.1.10/24",
         "--ip", "fd00:2::1/64"]


def rules(rig, priorities=(100, 101, 102)):
    """What "ip rule add" takes for these, with the family."""
    found = []
    for family in ("-4", "-6"):
        for rule in rig.dom0.json(family, "-Numeric", "rule", "show"):
            if rule["priority"] not in priorities:
                continue
            words = [f"{family} rule add priority {rule['priority']}"]
            if "iif" in rule:
                words.append(f"iif {rule['iif']}")
            if "dst" in rule:
                words.append(f"to {rule['dst']}/{rule['dstlen']}")
            words.append(rule.get("action", "table main"))
            found.append(" ".join(words))
    return found


def rules_of_networkd(rig):
    """Rules that networkd made are networkd's, and may be there beside ours: none is left."""
    before = snapshot.take(rig.dom0)
    rig.bridge("create", *INTBR)
    found = rules(rig)
    check(len(found) == 6, f"rules: {found}")
    for line in found:
        check(rig.dom0.run("ip", *f"{line} protocol static".split()).returncode == 0, line)
    check(len(rules(rig)) == 12, f"rules: {rules(rig)}")
    rig.bridge("delete", "intbr2")
    snapshot.expect_same(before, rig.dom0, [], "after delete")
    # as after a boot: there are networkd's alone
    rig.bridge("create", *INTBR)
    for line in found:
        rig.dom0.run("ip", *line.replace(" add ", " del ").split())
        rig.dom0.run("ip", *f"{line} protocol static".split())
    check(sorted(rules(rig)) == sorted(found), f"rules: {rules(rig)}")
    # and without udev not even the alias: the networks are those of dom0's addresses
    rig.dom0.ip("link set intbr2 alias ''")
    rig.refuse(3, "intbr2 has an address in the same network, fd00:2::1/64", "create", "intbr3",
               "--lodev", "eth3", "--mac", "02:17:42:2F:00:02", "--ip", "fd00:2::2/64")
    rig.bridge("delete", "intbr2")
    snapshot.expect_same(before, rig.dom0, [], "after delete of networkd's")


def same_network(rig):
    """A second intbr in a network would lose its rules with the first."""
    rig.bridge("create", *INTBR)
    before = snapshot.take(rig.dom0)
    other = ["create", "intbr3", "--lodev", "eth3", "--mac", "02:17:42:2F:00:02", "--ip"]
    for address in ("192.168.1.11/24", "fd00:2::2/64"):
        rig.refuse(3, "intbr2 has an address in the same network", *other, address)
    rig.refuse(3, "intbr2 has an address in the same network", *other, "10.3.0.1/24", "--ip",
               "192.168.1.11/24")
    snapshot.expect_same(before, rig.dom0, [], "after refusals")
    rig.bridge(*other, "192.168.1.130/25")
    rig.bridge("delete", "intbr3")
    snapshot.expect_same(before, rig.dom0, [], "after another network")


def no_router(rig):
    """A guest that says it is a router does not become dom0's."""
    before = snapshot.take(rig.dom0)
    rig.bridge("create", *INTBR)
    check(rig.dom0.sysctl("ipv6/conf/eth2/accept_ra") == "0", "dom0 takes advertisements")
    guest = rig.guest(1, 0, "intbr2")
    rig.await_up("vif1.0", "eth2")
    port = Sniffer(guest, "eth0")
    port.send(router_advertisement(guest_mac(16), link_local(guest_mac(16)), "fd00:66::"))
    port.close()
    # What the guest sent after it has arrived, so it has, too.
    check(reaches(guest, "eth0", link_local(LODEV_MAC)), "the guest does not reach dom0")
    check(not rig.dom0.json("-6", "route", "show", "default"), "dom0 has a default route")
    check("fd00:66:" not in str(rig.dom0.json("address", "show")), "dom0 has an address")
    rig.bridge("delete", "intbr2", "--force")
    rig.dom0.ip("link del vif1.0")
    snapshot.expect_same(before, rig.dom0, [], "after delete")


def address_text(rig):
    """Addresses are kept as the kernel writes them, however they were given."""
    before = snapshot.take(rig.dom0)
    create = ["create", "intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip"]
    rig.bridge(*create, "192.168.1.10/" + "0" * 100 + "24", "--ip", "FD00:2:0::0:1/064")
    alias = rig.dom0.links()["intbr2"]["ifalias"]
    check(alias.endswith(" ip=192.168.1.10/24 ip=fd00:2::1/64"), f"alias: {alias}")
    check("as asked for" in rig.bridge(*create, "192.168.1.10/24", "--ip", "fd00:2:0:0::1/64"),
          "not idempotent")
    rig.bridge("delete", "intbr2")
    snapshot.expect_same(before, rig.dom0, [], "after delete")


CASES = [rules_of_networkd, same_network, no_router, address_text]
