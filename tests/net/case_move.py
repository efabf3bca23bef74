# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's interface goes to another bridge: all of it, or nothing, and nothing else."""

import json
import subprocess

import snapshot
from case_bond import announced
from case_changes import faults, with_faults
from case_check import start_xenstored
from case_shapes import dom0_nic
from netns import check
from packets import ETH_P_RARP, Ping, Sniffer, arp_request, ping_all, reaches
from rig import guest_mac


def two_bridges(rig):
    """Guest 1 on the first of two bridges, and the peer of each, which have one address."""
    rig.bridge("create", "gintbr3")
    rig.bridge("create", "gintbr4")
    rig.guest(1, 0, "gintbr3", 3)
    for domid, bridge in ((2, "gintbr3"), (3, "gintbr4")):
        guest = rig.guest(domid, 0, bridge)
        guest.ip("address add 10.3.0.99/24 dev eth0", "address add fd00:3::99/64 dev eth0")


def on(rig, bridge, port="vif1.0"):
    return rig.dom0.links()[port].get("master") == bridge


def filters(rig, port):
    return rig.dom0.run("tc", "filter", "show", "dev", port, "ingress").stdout


def move(rig):
    """To and fro, also by a person with ip(8): the guest reaches who is on the bridge."""
    two_bridges(rig)
    guest = rig.guests[1]
    index = rig.dom0.links()["vif1.0"]["ifindex"]
    for turn in range(5):
        for bridge, there, elsewhere in (("gintbr4", 3, 2), ("gintbr3", 2, 3)):
            out = json.loads(rig.bridge("move", "vif1.0", bridge, "--json"))
            check(out["interface"] == "vif1.0" and out["bridge"] == bridge and out["changed"]
                  and out["from"] == ("gintbr3" if bridge == "gintbr4" else "gintbr4"), str(out))
            check(on(rig, bridge), f"it is not on {bridge}")
            sniffer = Sniffer(rig.guests[elsewhere], "eth0")
            # Both have the address: who answers is who is on the bridge.
            guest.ip("neighbour flush dev eth0")
            wrong = ping_all([Ping(guest, "eth0", a) for a in ("10.3.0.99", "fd00:3::99")],
                             [True] * 2, quiet=0)
            check(not wrong, f"turn {turn}, on {bridge}: {'; '.join(wrong)}")
            mac = guest.json("neighbour", "show", "10.3.0.99")[0]["lladdr"]
            check(mac == guest_mac(there * 16), f"the peer on {bridge} has {mac}")
            check(not [f for f in sniffer.queued() if guest_mac(16) == f[6:12].hex(":")],
                  "the old bridge has frames of the guest")
            sniffer.close()
    check(rig.dom0.links()["vif1.0"]["ifindex"] == index, "it is another interface")
    check([g["interface"] for g in rig.show()["gintbr4"]["guests"]] == ["vif3.0"], "show")
    before = snapshot.take(rig.dom0, rig.runtime)
    out = rig.bridge("move", "vif1.0", "gintbr3")
    check("vif1.0 is on gintbr3 already, as asked for" in out, out)
    plan = rig.bridge("move", "vif1.0", "gintbr4", "--dry-run")
    check("take vif1.0 off gintbr3" in plan and "put vif1.0 on gintbr4" in plan, plan)
    snapshot.expect_same(before, rig.dom0, [rig.runtime], "after a dry run")


def move_whole(rig):
    """The emulated twin goes along; a renamed tap is known by its alias; what is on no bridge
    is put on one."""
    two_bridges(rig)
    rig.dom0.ip("link add vif1.0-emu type veth peer name emu", "link set vif1.0-emu master gintbr3",
                "link add lan0 type veth peer name lan1",
                "link set lan0 alias 'xenpv-backendd vif 7.1'", "link set lan0 master gintbr3")
    rig.bridge("move", "vif1.0", "gintbr4")
    check(on(rig, "gintbr4") and on(rig, "gintbr4", "vif1.0-emu"), "they are not together")
    check(on(rig, "gintbr3", "lan0"), "another guest's interface was moved, too")
    rig.bridge("move", "lan0", "gintbr4")
    check(on(rig, "gintbr4", "lan0"), "lan0 was not moved")
    # Its bridge was deleted and made again.
    rig.bridge("delete", "gintbr4", "--force")
    rig.bridge("create", "gintbr4")
    out = json.loads(rig.bridge("move", "vif1.0", "gintbr4", "--json"))
    check(out["from"] is None and on(rig, "gintbr4"), str(out))


def move_refused(rig):
    """Each check says no, names what is wrong, and nothing has changed."""
    two_bridges(rig)
    rig.nic("eth1")
    rig.bridge("create", "intbr5", "--lodev", "eth5", "--mac", "02:17:42:2F:00:01",
               "--ip", "192.168.1.10/24")
    rig.bridge("create", "gintbr6")
    rig.guest(1, 1, "gintbr6")
    rig.bridge("create", "gintbr7")
    rig.dom0.ip(*(f"link add vif{d}.0 type veth peer name peer{d}" for d in range(10, 74)),
                *(f"link set vif{d}.0 master gintbr7" for d in range(10, 74)),
                # Its carrier stays: the kernel takes its time to say that a bridge has lost it.
                "link set vif11.0 up", "link set peer11 up",
                # with a twin it is one still
                "link add vif10.0-emu type veth peer name emu",
                "link set vif10.0-emu master gintbr7",
                "link add br8 type bridge", "link set br8 mtu 9000",
                "link add vif80.0 type veth peer name peer80")
    elsewhere = rig.dom0.ip("link add vrf9 type vrf table 9", may_fail=True)
    if elsewhere:
        rig.dom0.ip("link set vif80.0 master vrf9")
    before = snapshot.take(rig.dom0, rig.runtime)
    for status, text, words in [
            (2, "", ["vif1.0"]),
            (4, "no such interface", ["vif9.9", "gintbr4"]),
            (4, "no such bridge", ["vif1.0", "gintbr44"]),
            (3, "but no bridge", ["vif1.0", "eth1"]),
            (3, "no interface of a guest", ["eth1", "gintbr4"]),
            (3, "no interface of a guest", ["vif0.5", "gintbr4"]),
            (3, "no interface of a guest", ["gintbr3", "gintbr4"]),
            (3, "vif1.1 of the same guest", ["vif1.0", "gintbr6"]),
            (3, "no more than 64", ["vif1.0", "gintbr7"]),
            (3, "its MTU is 1500 and that of br8 is 9000", ["vif1.0", "br8"]),
            *[(3, "is used by vrf9", ["vif80.0", "gintbr4"])] * elsewhere]:
        rig.refuse(status, text, "move", *words)
    snapshot.expect_same(before, rig.dom0, [rig.runtime], "after refusals")
    rig.dom0.ip("link del vif73.0")
    rig.bridge("move", "vif1.0", "gintbr7")
    rig.bridge("move", "vif1.0", "br8", "--force")
    check(on(rig, "br8"), "it is not on br8")
    # no privileges
    before = snapshot.take(rig.dom0, rig.runtime)
    result = rig.dom0.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", rig.program,
                          "bridge", "move", "vif1.0", "gintbr4", "--force", *rig.directories())
    check(result.returncode == 1 and "Operation not permitted" in result.stderr,
          f"without capabilities: {result.returncode} {result.stderr}")
    snapshot.expect_same(before, rig.dom0, [rig.runtime], "without capabilities")


def move_closed(rig):
    """On a bridge that is apart from dom0 a port is closed before it is there; the watch, which
    may not even run, is not waited for. Elsewhere it is open again."""
    outside = dom0_nic(rig)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.bridge("create", "gintbr3")
    rig.guest(1, 0, "xenbr0", 0)
    check("bpf" not in filters(rig, "vif1.0"), "it is closed on xenbr0")
    rig.bridge("move", "vif1.0", "gintbr3")
    check("bpf" in filters(rig, "vif1.0"), "it is not closed on gintbr3")
    check(rig.dom0.sysctl("ipv6/conf/vif1.0/disable_ipv6") == "1", "it does IPv6")
    wrong = ping_all([Ping(rig.guests[1], "eth0", a) for a in ("10.0.0.1", "10.0.0.2")],
                     [False] * 2)
    check(not wrong, "; ".join(wrong))
    rig.bridge("move", "vif1.0", "xenbr0")
    check("bpf" not in filters(rig, "vif1.0"), "it is closed on xenbr0 again")
    check(reaches(rig.guests[1], "eth0", "10.0.0.1") and reaches(outside, "to-eth0", "10.0.0.11"),
          "the guest is cut off on xenbr0")
    # Beside the watch, which has the same done.
    watch = rig.watch()
    rig.bridge("move", "vif1.0", "gintbr3")
    rig.await_guarded("vif1.0")
    rig.stop(watch)
    check("cannot" not in rig.watch_logged(), rig.watch_logged())


def move_announced(rig):
    """A silent guest is announced where it is now, and xenstore says where that is."""
    base = "/local/domain/0/backend/vif/7/0"
    rig.extra = start_xenstored(rig, {f"{base}/mac": "02:17:42:2F:09:09",
                                      f"{base}/bridge": "gintbr3"})
    outside = rig.nic("eth1")
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    rig.bridge("create", "gintbr3")
    rig.guest(7, 0, "gintbr3")
    sniffer = Sniffer(outside, "to-eth1", ETH_P_RARP)

    def way():
        table = rig.dom0.json("fdb", "show", "br", "gextbr1", program="bridge")
        return [e["ifname"] for e in table if e["mac"] == "02:17:42:2f:09:09"]

    def noted():
        return subprocess.run(["xenstore-read", f"{base}/bridge"], env=rig.environment(),
                              capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    # Where both bridges lead to one network, the new one has heard of the guest from outside.
    sniffer.send(arp_request("02:17:42:2f:09:09", "0.0.0.0", "10.1.1.1"))
    rig.await_(lambda: way() == ["eth1"], "the bridge to learn of the guest outside")
    rig.bridge("move", "vif7.0", "gextbr1")
    check(way() == ["vif7.0"], f"the bridge sends what is for the guest to {way()}")
    announced(sniffer, ["02:17:42:2f:09:09"], 5.0)
    check(noted() == "gextbr1", f"xenstore says {noted()}")
    rig.bridge("move", "vif7.0", "gintbr3", "--dry-run")
    check(noted() == "gextbr1", "a dry run has written to xenstore")
    rig.bridge("move", "vif7.0", "gintbr3")
    check(noted() == "gintbr3", f"xenstore says {noted()}")
    sniffer.close()


@with_faults
def rollback_move(rig):
    dom0_nic(rig)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.bridge("create", "gintbr3")
    rig.guest(1, 0, "xenbr0", 0)
    rig.guest(2, 0, "gintbr3")  # whose carrier stays
    rig.dom0.ip("link add vif1.0-emu type veth peer name emu")

    def start_on(bridge):
        """Both of them there, without what closes them."""
        for port in ("vif1.0", "vif1.0-emu"):
            rig.dom0.ip(f"link set {port} master {bridge}")
            rig.dom0.tc(f"qdisc del dev {port} clsact", may_fail=True)
            rig.dom0.sysctl(f"ipv6/conf/{port}/disable_ipv6", 0)

    def start_closed():
        start_on("xenbr0")
        rig.bridge("move", "vif1.0", "gintbr3")

    faults(rig, "move to gintbr", lambda: start_on("xenbr0"), "move", "vif1.0", "gintbr3")
    faults(rig, "move to xenbr", start_closed, "move", "vif1.0", "xenbr0")


CASES = [move, move_whole, move_refused, move_closed, move_announced, rollback_move]
