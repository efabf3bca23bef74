# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes as a whole: refused, made, or undone, and dom0 is what it was."""

import fcntl
import os
import signal
import subprocess
import time

import snapshot
from case_shapes import LODEV_MAC, dom0_nic
from netns import Failure, check, need_link_type
from packets import reaches
from rig import NO_LEAK_CHECK

INTBR = ["intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip", "192.168.1.10/24",
         "--ip", "fd00:2::1/64"]


def busy_dom0(rig):
    """A NIC with all that an administrator may have set on it."""
    outside = dom0_nic(rig)
    rig.dom0.ip("link set eth0 mtu 1400", "address add 10.0.0.3/24 dev eth0 label eth0:1",
                "address add 172.16.0.1 peer 172.16.0.2/32 dev eth0",
                "route add default via 10.0.0.2 metric 50",
                "route add 10.9.0.0/16 via 10.0.0.2 src 10.0.0.3",
                "route add 10.8.0.0/16 dev eth0 table 77",
                "route add fd99::/64 via fd00:0::2 metric 7",
                "route add default via fd00:0::2",
                "rule add from 10.0.0.3 lookup 77",
                "neighbour add 10.0.0.9 lladdr 02:00:00:00:00:09 nud permanent dev eth0",
                "neighbour add fd00:0::9 lladdr 02:00:00:00:00:09 nud permanent dev eth0")
    # not every kernel has it
    rig.dom0.ip("route add 10.7.0.0/16 nexthop via 10.0.0.2 weight 1 nexthop via 10.0.0.4 weight 2",
                may_fail=True)
    rig.dom0.sysctl("ipv4/conf/eth0/rp_filter", 2)
    rig.dom0.sysctl("ipv4/conf/eth0/proxy_arp", 1)
    rig.dom0.sysctl("ipv6/conf/eth0/accept_ra", 0)
    rig.dom0.sysctl("ipv6/conf/eth0/hop_limit", 33)
    return outside


def identity(rig):
    """What makes dom0 what it is, independent of the interface behind the name."""
    seen = snapshot.take(rig.dom0)
    eth0 = next(link for link in seen["links"] if link["ifname"] == "eth0")
    addresses = [{k: v for k, v in a.items() if k in ("local", "prefixlen", "label", "address",
                                                      "scope", "broadcast", "dynamic")}
                 for link in seen["addresses"] if link["ifname"] == "eth0"
                 for a in link["addr_info"]]
    routes = [r for r in seen["routes"] + seen["routes6"]
              if r.get("dev") == "eth0" or "nexthops" in r]
    settings = {k: v for k, v in seen["settings"].items() if "/conf/eth0/" in k}
    return {"mac": eth0["address"], "mtu": eth0["mtu"], "addresses": addresses, "routes": routes,
            "rules": seen["rules"], "neighbours": seen["neighbours"], "settings": settings}


def keeps_dom0(rig):
    """xenbr: addresses, routes, neighbours, rules, settings and MTU across create and delete."""
    busy_dom0(rig)
    before, whole = identity(rig), snapshot.take(rig.dom0)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    during = identity(rig)
    found = snapshot.differences(before, during)
    check(not found, f"with the bridge: {found[:6]}")
    check(reaches(rig.dom0, "eth0", "10.0.0.2") and reaches(rig.dom0, "eth0", "fd00:0::2"),
          "dom0 does not reach the outside")
    rig.bridge("delete", "xenbr0")
    snapshot.expect_same(whole, rig.dom0, [], "after delete")
    # Twenty times, and what dom0 changed meanwhile it keeps.
    for _ in range(20):
        rig.bridge("create", "xenbr0", "--netdev", "eth0")
        rig.bridge("delete", "xenbr0")
    snapshot.expect_same(whole, rig.dom0, [], "after twenty times")
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.dom0.ip("address add 10.0.0.5/24 dev eth0", "route add 10.6.0.0/16 via 10.0.0.2")
    rig.bridge("delete", "xenbr0")
    check(any(r.get("dst") == "10.6.0.0/16" for r in rig.dom0.json("route", "show")),
          "a route that was added meanwhile is gone")


def stream_survives(rig):
    """A TCP connection of dom0 lives through create and delete of its own bridge."""
    import socket
    outside = dom0_nic(rig)
    with outside:
        server = socket.create_server(("10.0.0.2", 5000))
    with rig.dom0:
        client = socket.create_connection(("10.0.0.2", 5000), 10)
    peer, _ = server.accept()
    for sock in (client, peer):
        sock.settimeout(20)
    for number, words in enumerate((["create", "xenbr0", "--netdev", "eth0"],
                                    ["delete", "xenbr0"])):
        rig.bridge(*words)
        client.sendall(b"%d" % number)
        check(peer.recv(1) == b"%d" % number, f"the stream broke at {words}")
    for sock in (client, peer, server):
        sock.close()


def nic_down(rig):
    """A NIC that is down stays so for dom0, and is so again afterwards."""
    rig.nic("eth0")
    rig.dom0.ip("link set eth0 down", "address add 10.0.0.1/24 dev eth0")
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    links = rig.dom0.links()
    check("UP" in links["peth0"]["flags"] and "UP" not in links["eth0"]["flags"], "flags")
    rig.bridge("delete", "xenbr0")
    snapshot.expect_same(before, rig.dom0, [], "after delete of xenbr0")
    rig.dom0.ip("address flush dev eth0")
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "gextbr1", "--netdev", "eth0")
    check("UP" in rig.dom0.links()["eth0"]["flags"], "the port of gextbr1 is down")
    rig.bridge("delete", "gextbr1")
    snapshot.expect_same(before, rig.dom0, [], "after delete of gextbr1")


def flush(rig):
    """gextbr with --flush takes dom0's addresses away, and delete gives them back."""
    busy_dom0(rig)
    before = snapshot.take(rig.dom0, rig.runtime, rig.network)
    rig.refuse(3, "has addresses of dom0", "create", "gextbr1", "--netdev", "eth0")
    rig.refuse(3, "default route", "create", "gextbr1", "--netdev", "eth0", "--flush")
    snapshot.expect_same(before, rig.dom0, [rig.runtime, rig.network], "after refusals")
    rig.bridge("create", "gextbr1", "--netdev", "eth0", "--flush", "--force")
    check(not [a for link in rig.dom0.json("address", "show") if link["ifname"] == "eth0"
               for a in link["addr_info"]], "eth0 still has addresses")
    rig.bridge("delete", "gextbr1")
    snapshot.expect_same(before, rig.dom0, [rig.runtime, rig.network], "after delete")


def flush_nic_gone(rig):
    """Addresses that were taken from a NIC are not another's, whoever deleted its bridge."""
    saved = f"{rig.runtime}/bridges/gextbr1.addresses"

    def other_nic(what):
        rig.bridge("create", "gextbr1", "--netdev", "eth2")
        rig.bridge("delete", "gextbr1")
        check("10.1.0.1" not in str(rig.dom0.json("address", "show")),
              f"eth2 has the addresses of eth1 {what}")
        check(not os.path.exists(saved), f"{saved} is left {what}")

    rig.nic("eth2")
    for what in ("delete", "ip link"):
        rig.nic("eth1")
        rig.dom0.ip("address add 10.1.0.1/24 dev eth1")
        rig.bridge("create", "gextbr1", "--netdev", "eth1", "--flush")
        with open(saved, encoding="utf-8") as f:
            kept = f.read()
        rig.dom0.ip("link del eth1")
        if what == "delete":
            rig.bridge("delete", "gextbr1")
            check(not os.path.exists(saved), f"{saved} is left by delete")
            # what an earlier version has left
            with open(saved, "w", encoding="utf-8") as f:
                f.write(kept)
        else:
            rig.dom0.ip("link del gextbr1")
        other_nic(f"after {what}")


def nic_gone(rig):
    """A xenbr without its NIC: refused, and with --force as much is undone as is there."""
    for gone in ("link del peth0", "link set peth0 master br0"):
        rig.dom0.ip("link add br0 type bridge")
        dom0_nic(rig)
        rig.bridge("create", "xenbr0", "--netdev", "eth0", "--persist")
        rig.dom0.ip(gone)
        rig.refuse(3, "its NIC peth0 is gone", "delete", "xenbr0")
        check("eth0 goes, too" in rig.stderr and "--force" in rig.stderr, rig.stderr)
        rig.bridge("delete", "xenbr0", "--force")
        links = rig.dom0.links()
        check(not {"xenbr0", "vif0.0", "eth0"} & set(links), f"left: {sorted(links)}")
        if "peth0" in links:  # another bridge has it: it is left alone
            rig.dom0.ip("link del peth0")
        check(not os.listdir(rig.network), f"left: {os.listdir(rig.network)}")
        rig.dom0.ip("link del br0")
    # off the bridge, but there: dom0 gets it back
    dom0_nic(rig)
    before = snapshot.take(rig.dom0, rig.network)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.dom0.ip("link set peth0 nomaster")
    rig.refuse(3, "no longer on it", "delete", "xenbr0")
    rig.bridge("delete", "xenbr0", "--force")
    snapshot.expect_same(before, rig.dom0, [rig.network], "after nomaster")


def refusals(rig):
    """Each check says no, names what is wrong, and nothing has changed."""
    dom0_nic(rig)
    rig.nic("eth1")
    rig.nic("eth9")
    rig.nic("averylongname15", peer="to-long")
    with open(rig.config, "w", encoding="utf-8") as f:
        f.write("[bridge]\nnever = eth9 mmb*\n")
    rig.dom0.ip("link add br0 type bridge", "link set eth1 master br0",
                "link add vif7.0 type veth peer name eth7")
    # not every kernel has it
    multipath = rig.dom0.ip("route add 10.7.0.0/16 nexthop via 10.0.0.2 "
                            "nexthop dev averylongname15", may_fail=True)
    before = snapshot.take(rig.dom0, rig.network)
    for status, text, words in [
            (2, "needs --netdev", ["xenbr0"]),
            (2, "takes no --lodev", ["gextbr1", "--netdev", "eth0", "--lodev", "x"]),
            (2, "needs --lodev", ["intbr2"]),
            (2, "needs --mac", ["intbr2", "--lodev", "eth2"]),
            (2, "needs --ip", ["intbr2", "--lodev", "eth2", "--mac", LODEV_MAC]),
            (2, "takes no --netdev", ["gintbr3", "--netdev", "eth0"]),
            (2, "no name for a bridge", ["xenbr128", "--netdev", "eth0"]),
            (2, "no name for a bridge", ["xenbr01", "--netdev", "eth0"]),
            (2, "no name for a bridge", ["br1"]),
            (2, "no VLAN", ["gextbr1", "--netdev", "eth0", "--vlan", "4095"]),
            (2, "no VLAN", ["gextbr1", "--netdev", "eth0", "--vlan", "0"]),
            (2, "takes no --vlan", ["xenbr1", "--netdev", "eth0", "--vlan", "5"]),
            (2, "no address", ["intbr2", "--lodev", "eth2", "--mac", "02:17", "--ip",
                               "10.1.1.1/8"]),
            (2, "no address with", ["intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip",
                                    "10.1.1.1"]),
            (2, "no address with", ["intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip",
                                    "224.1.1.1/24"]),
            (2, "no name for dom0's", ["intbr2", "--lodev", "vif0.9", "--mac", LODEV_MAC, "--ip",
                                       "10.1.1.1/24"]),
            (3, "group", ["intbr2", "--lodev", "eth2", "--mac", "03:17:42:2F:00:01", "--ip",
                          "10.1.1.1/24"]),
            (3, "is zero", ["intbr2", "--lodev", "eth2", "--mac", "00:00:00:00:00:00", "--ip",
                            "10.1.1.1/24"]),
            (3, "does not begin with 02:17:42:2F",
             ["intbr2", "--lodev", "eth2", "--mac", "02:17:42:2E:00:01", "--ip", "10.1.1.1/24"]),
            (3, "exists already", ["intbr2", "--lodev", "eth0", "--mac", LODEV_MAC, "--ip",
                                   "10.1.1.1/24"]),
            (4, "no interface eth5", ["xenbr0", "--netdev", "eth5"]),
            (3, "is used by br0 already", ["xenbr0", "--netdev", "eth1"]),
            (3, "is used by br0 already", ["gextbr0", "--netdev", "eth1"]),
            (3, "is a bridge itself", ["gextbr0", "--netdev", "br0"]),
            (3, "no Ethernet", ["gextbr0", "--netdev", "lo"]),
            (3, "of domain 7", ["gextbr0", "--netdev", "vif7.0"]),
            (3, "may never be on a bridge", ["gextbr0", "--netdev", "eth9"]),
            (3, "longer than", ["xenbr0", "--netdev", "averylongname15"])]:
        rig.refuse(status, text, "create", *words)
    if multipath:
        rig.refuse(3, "other interfaces, too", "create", "xenbr0", "--netdev", "eth0")
    rig.refuse(4, "no such bridge", "delete", "xenbr0")
    rig.refuse(2, "no name of a bridge", "delete", "br0")
    rig.refuse(4, "no such bridge", "show", "xenbr0")
    snapshot.expect_same(before, rig.dom0, [rig.network], "after refusals")

    rig.dom0.ip("route del 10.7.0.0/16", may_fail=not multipath)
    if multipath:
        rig.dom0.ip("route add 10.7.0.0/16 " + " ".join(
            f"nexthop via 10.0.0.{n}" for n in range(50, 210)))
        rig.refuse(3, "too many gateways", "create", "xenbr0", "--netdev", "eth0")
        rig.dom0.ip("route del 10.7.0.0/16")
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    before = snapshot.take(rig.dom0, rig.network)
    for status, text, words in [
            (3, "xenbr0 has the number 0 already", ["gextbr0", "--netdev", "averylongname15"]),
            (3, "xenbr0 has the number 0 already", ["gintbr0"]),
            (3, "the NIC behind it is peth0", ["gextbr1", "--netdev", "eth0"]),
            (3, "exists already", ["xenbr0", "--netdev", "averylongname15"]),
            (3, "is used by xenbr0", ["gextbr1", "--netdev", "peth0"])]:
        rig.refuse(status, text, "create", *words)
    check("as asked for" in rig.bridge("create", "xenbr0", "--netdev", "eth0"), "not idempotent")
    rig.guest(1, 0, "xenbr0")
    rig.refuse(3, "is used by vif1.0", "delete", "xenbr0")
    rig.dom0.ip("link del vif1.0")
    snapshot.expect_same(before, rig.dom0, [rig.network], "after more refusals")
    # what cannot be written is a failure, and one that is undone
    open(rig.network, "w", encoding="utf-8").close()
    rig.refuse(1, "everything is as before", "create", "gintbr5", "--persist")
    os.unlink(rig.network)
    snapshot.expect_same(before, rig.dom0, [rig.network], "after a failure")
    # no privileges
    result = rig.dom0.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", rig.program,
                          "bridge", "create", "gintbr5", *rig.directories())
    check(result.returncode == 1 and "Operation not permitted" in result.stderr,
          f"without capabilities: {result.returncode} {result.stderr}")
    snapshot.expect_same(before, rig.dom0, [rig.network], "without capabilities")


def force(rig):
    """Delete with --force cuts guests off, and only them."""
    dom0_nic(rig)
    before = snapshot.take(rig.dom0)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.guest(1, 0, "xenbr0", 0)
    # the emulated twin that the manual's script took for the NIC
    rig.dom0.ip("link add vif1.0-emu type veth peer name emu", "link set vif1.0-emu master xenbr0")
    rig.bridge("delete", "xenbr0", "--force")
    check("master" not in rig.dom0.links()["vif1.0"], "the guest is still on a bridge")
    rig.dom0.ip("link del vif1.0", "link del vif1.0-emu")
    snapshot.expect_same(before, rig.dom0, [], "after delete --force")


# rollback


def faults(rig, what, prepare, *words):
    """Let change number 1, 2, 3... fail until there are no more; then the same with the answer
    lost. Each time everything is to be as before."""
    directories = [rig.runtime, rig.network]
    prepare()
    before = snapshot.take(rig.dom0, *directories)
    counted = _count(rig, *words)
    snapshot_after = snapshot.take(rig.dom0, *directories)
    check(snapshot.differences(before, snapshot_after), f"{what} changed nothing")
    rig_undo(rig, words)
    prepare()
    begin = time.monotonic()
    before = snapshot.take(rig.dom0, *directories)
    # What is left after a lost answer is what is left after a refusal.
    for kind, extra in (("FAIL", {}), ("LOSE", NO_LEAK_CHECK)):
        # the deletion of interfaces, which is last, is what nobody can undo
        last = counted if kind == "FAIL" or words[0] == "create" else counted - 1
        for n in range(1, last + 1):
            rig.bridge(*words, status=None, program=rig.fault_program,
                       env=rig.environment(**{f"XENPV_TEST_{kind}": str(n)}, **extra))
            if rig.status != 1 or "everything is as before" not in rig.stderr:
                raise Failure(f"{what}: {kind} {n} of {counted}: status {rig.status}: "
                              f"{rig.stderr.strip()}")
            snapshot.expect_same(before, rig.dom0, directories, f"{what}: {kind} {n} of {counted}")
    print(f"  {what}: {counted} changes, each refused and each answer lost, "
          f"{time.monotonic() - begin:.1f} s")
    rig.bridge(*words, program=rig.fault_program)
    rig_undo(rig, words)


def _count(rig, *words):
    reader, writer = os.pipe()
    try:
        with rig.dom0:
            result = subprocess.run(
                [rig.fault_program, "bridge", *words, *rig.directories()], pass_fds=[writer],
                env=rig.environment(XENPV_TEST_COUNT=str(writer)), capture_output=True, text=True,
                timeout=60, check=False)
        check(result.returncode == 0, f"{words}: {result.stderr}")
        return int(os.read(reader, 64).decode().split()[-1])
    finally:
        os.close(reader)
        os.close(writer)


def rig_undo(rig, words):
    if words[0] == "create":
        rig.bridge("delete", words[1], "--force")


def with_faults(case):
    case.needs_faults = True
    return case


@with_faults
def rollback_xenbr(rig):
    busy_dom0(rig)
    faults(rig, "create xenbr", lambda: None, "create", "xenbr0", "--netdev", "eth0", "--persist")
    faults(rig, "delete xenbr", lambda: rig.bridge("create", "xenbr0", "--netdev", "eth0",
                                                   "--persist"), "delete", "xenbr0")


@with_faults
def rollback_gextbr(rig):
    busy_dom0(rig)
    create = ["create", "gextbr1", "--netdev", "eth0", "--flush", "--force", "--persist"]
    faults(rig, "create gextbr", lambda: None, *create)
    faults(rig, "delete gextbr", lambda: rig.bridge(*create), "delete", "gextbr1")


@with_faults
def rollback_vlan(rig):
    need_link_type("vlan", "8021q", "id 5")
    busy_dom0(rig)
    create = ["create", "gextbr1", "--netdev", "eth0", "--vlan", "10", "--persist"]
    faults(rig, "create gextbr on a VLAN", lambda: None, *create)
    faults(rig, "delete gextbr on a VLAN", lambda: rig.bridge(*create), "delete", "gextbr1")


@with_faults
def rollback_intbr(rig):
    create = ["create", *INTBR, "--persist"]
    faults(rig, "create intbr", lambda: None, *create)
    faults(rig, "delete intbr", lambda: rig.bridge(*create), "delete", "intbr2")


@with_faults
def rollback_gintbr(rig):
    faults(rig, "create gintbr", lambda: None, "create", "gintbr3", "--persist")

    def with_guest():
        rig.bridge("create", "gintbr3", "--persist")
        if 1 not in rig.guests:
            rig.guest(1, 0, "gintbr3")
        else:
            rig.dom0.ip("link set vif1.0 master gintbr3")
    faults(rig, "delete --force gintbr", with_guest, "delete", "gintbr3", "--force")


@with_faults
def broken(rig):
    """If undoing fails, too, the exit status is another, and the message says what is left."""
    rig.bridge("create", "gintbr3", status=5, program=rig.fault_program,
               env=rig.environment(XENPV_TEST_FROM="3"))
    check('could not be undone: "create bridge gintbr3"' in rig.stderr, rig.stderr)
    check("gintbr3" in rig.dom0.links(), "there is nothing left")
    rig.bridge("delete", "gintbr3")
    check("gintbr3" not in rig.dom0.links(), "it cannot be deleted")


@with_faults
def terminated(rig):
    """SIGTERM in the middle waits for the end: all of a change is there, or all of its undoing."""
    dom0_nic(rig)
    before = snapshot.take(rig.dom0)
    create = ["create", "xenbr0", "--netdev", "eth0"]
    for number in (1, 8, 20):
        rig.bridge(*create, status=-signal.SIGTERM, program=rig.fault_program,
                   env=rig.environment(XENPV_TEST_TERM=str(number)))
        check("as asked for" in rig.bridge(*create), f"it is not whole after {number}")
        check(reaches(rig.dom0, "eth0", "10.0.0.2"), "dom0 does not reach the outside")
        rig.bridge("delete", "xenbr0")
        rig.bridge(*create, status=-signal.SIGTERM, program=rig.fault_program,
                   env=rig.environment(XENPV_TEST_TERM=str(number), XENPV_TEST_FAIL="25"))
        snapshot.expect_same(before, rig.dom0, [], f"after SIGTERM at {number} and a failure")


def at_once(rig):
    """Commands that run at the same time wait for each other."""
    dom0_nic(rig)
    before = snapshot.take(rig.dom0)
    for words in (["create", "xenbr0", "--netdev", "eth0", "--json"], ["delete", "xenbr0"]):
        running = [rig.dom0.start(rig.program, "bridge", *words, *rig.directories(),
                                  env=rig.environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for _ in range(6)]
        rig.processes += running
        results = [process.communicate(timeout=60) for process in running]
        codes = sorted(process.returncode for process in running)
        if words[0] == "create":
            changed = sum('"changed":true' in out for out, _ in results)
            check(codes == [0] * 6 and changed == 1, f"{codes} {changed} {results}")
        else:
            check(codes == [0] + [4] * 5, f"{codes} {results}")
    snapshot.expect_same(before, rig.dom0, [], "after all")


def beside_watch(rig):
    """Commands while the watch runs: neither gets in the other's way. Nor does the watch close
    an interface because of an event that is no longer true when it comes to it."""
    rig.nic("eth1")
    watch = rig.watch()
    before = snapshot.take(rig.dom0)
    for turn in range(10):
        if turn >= 8:
            watch.send_signal(signal.SIGSTOP)
        rig.bridge("create", "gextbr1", "--netdev", "eth1")
        rig.bridge("delete", "gextbr1")
        watch.send_signal(signal.SIGCONT)
    # Events come in their order: when it has seen this one, it has seen all.
    rig.bridge("create", "gintbr3")
    rig.guest(1, 0, "gintbr3")
    rig.await_guarded("vif1.0")
    rig.bridge("delete", "gintbr3", "--force")
    rig.dom0.ip("link del vif1.0")
    snapshot.expect_same(before, rig.dom0, [], "after all")
    # A command that never ends keeps no port open.
    with open(f"{rig.runtime}/bridge.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rig.dom0.ip("link add gintbr4 type bridge")
        rig.guest(2, 0, "gintbr4")
        rig.await_guarded("vif2.0", limit=30)
    rig.stop(watch)
    check("not waiting any longer" in rig.watch_logged(), rig.watch_logged())


def renamed(rig):
    """dom0's interface under another name by now: what is on it goes back to the NIC."""
    dom0_nic(rig)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.dom0.ip("link set eth0 down", "link set eth0 name lan0", "link set lan0 up",
                "address add 10.0.0.3/24 dev lan0")
    check(rig.show()["xenbr0"]["dom0_interface"]["interface"] == "lan0", "show")
    rig.bridge("delete", "xenbr0")
    links = rig.dom0.links()
    check("lan0" not in links and "peth0" not in links, f"links: {sorted(links)}")
    there = str(rig.dom0.json("address", "show", "dev", "eth0"))
    check("10.0.0.1" in there and "10.0.0.3" in there, f"on eth0: {there}")
    check(reaches(rig.dom0, "eth0", "10.0.0.2"), "dom0 does not reach the outside")


CASES = [keeps_dom0, stream_survives, nic_down, flush, flush_nic_gone, nic_gone, refusals, force,
         rollback_xenbr, rollback_gextbr, rollback_vlan, rollback_intbr, rollback_gintbr, broken,
         terminated, at_once, beside_watch, renamed]
