#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces: attach, connect, reconfigure, detach and refuse, as libxl 4.17 does it."""

import os
import signal
import subprocess
import time

from control_rig import (AT_ONCE, CLOSED, CLOSING, CONNECTED, INITIALISING, INITWAIT, Disk, check,
                         main)
from control_vif import (IFF_MULTI_QUEUE, IFF_NO_PI, IFF_PERSIST, IFF_TAP, IFF_VNET_HDR, MAC, Vif,
                         clean, enter_namespace, have_bridges, ip, links, ours)

RECONFIGURING, RECONFIGURED = 7, 8
OFFERED = {"feature-sg": "1", "feature-gso-tcpv4": "1", "feature-gso-tcpv6": "1",
           "feature-ipv6-csum-offload": "1", "feature-rx-copy": "1", "feature-rx-flip": "0",
           "feature-split-event-channels": "1", "feature-ctrl-ring": "1",
           "feature-multicast-control": "1", "feature-dynamic-multicast-control": "1",
           "feature-xdp-headroom": "1"}


def whole_life(rig):
    vif = Vif(rig, 5, 0)
    vif.create()
    seconds = rig.await_node(f"{vif.backend}/state", INITWAIT)
    check(seconds < AT_ONCE, f"InitWait took {seconds:.2f} s")
    for key, value in OFFERED.items():
        check(vif.get(key) == value, f"{key} = {vif.get(key)}")
    check(1 <= int(vif.get("multi-queue-max-queues")) <= 8, "queues are offered")
    # the script finds it there
    link = vif.link()
    check(link is not None, "the tap is there before state 2")
    check(link["address"] == "fe:ff:ff:ff:ff:ff", f"address {link['address']}")
    check("UP" not in link["flags"], "it is down")
    data = link["linkinfo"]["info_data"]
    check(link["linkinfo"]["info_kind"] == "tun" and data["type"] == "tap"
          and not data["pi"] and data["vnet_hdr"] and data["multi_queue"] and data["persist"],
          f"{link['linkinfo']}")
    # the frontend is ready first, but the script has not run
    vif.connect(await_connected=False)
    rig.await_never(f"{vif.backend}/state", CONNECTED, 0.3)
    ip(f"link set {vif.name} up")
    rig.store.write(f"{vif.backend}/hotplug-status", "connected")
    rig.await_node(f"{vif.backend}/state", CONNECTED)
    attach = rig.messages("attach-vif")[0]
    check(attach["class"] == "1" and attach["mac"] == MAC and attach["queues"] == "1"
          and attach["rate"] == "0" and attach["static"] == "1" and attach["multicast"] == "1"
          and attach["kept"] == "0" and attach["fds"] == "3", f"{attach}")
    name, flags = attach["tap0"].split(",")
    wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_PERSIST
    check(name == vif.name and int(flags, 0) & wanted == wanted, f"{attach['tap0']}")
    connect = rig.messages("connect-vif")[0]
    # sg, both gso, both checksums, rx-notify
    check(connect["queues"] == "1" and int(connect["features"], 0) == 0x3f
          and connect["queue0"] == "8,9,5,5" and connect["reattach"] == "0"
          and connect["control"] == "0" and connect["headroom"] == "0"
          and connect["fds"] == "1", f"{connect}")
    check(os.path.exists(f"{rig.runtime}/vif-5-0.state"), "the state file is there")
    io = vif.io()
    check((io["tx_packets"], io["rx_bytes"], io["rx_stalled"]) == (7, 1500, 1), f"{io}")
    rig.await_status(5, 0, kind="vif", link="up", driver="xenpv-backendd", tap=vif.name,
                     bridge="xenbr0", mac=MAC, state="Connected", queues=1, up=True, error=None)
    vif.await_carrier(True)
    check(vif.get("carrier") == "1", f"carrier = {vif.get('carrier')}")
    # the guest follows our Closing
    vif.ask_removal()
    rig.await_never(f"{vif.backend}/state", CLOSED, 0.2)
    vif.front(state=CLOSING)
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED, AT_ONCE)
    check(vif.link() is None, "the tap is gone with state 6")
    rig.await_node(f"{vif.backend}/hotplug-status", None, AT_ONCE)
    check(len(rig.messages("detach", 0)) == 1, "the worker was detached")
    check(not os.path.exists(f"{rig.runtime}/vif-5-0.state"), "the state file is gone")
    vif.destroy()
    rig.await_(lambda: rig.status()["guests"] == [], "the guest is forgotten")


def stock_script(rig):
    """The script of Debian's xen-utils, unchanged: into the bridge, up, and out again."""
    if not have_bridges():
        print("  no bridges here: only without the stock script")
        return
    ip("link add xenbr0 type bridge", "link set xenbr0 mtu 1400", "link set xenbr0 up",
       "link add xenbr1 type bridge")
    vif = Vif(rig, 5, 0)
    check(vif.attach() is None, f"the attach succeeds: {vif.get('hotplug-error')}")
    check(vif.get("hotplug-status") == "connected", "it reports")
    vif.connect()
    link = vif.link()
    check(link["master"] == "xenbr0" and link["mtu"] == 1400, f"{link}")
    vif.await_carrier(True)
    rig.await_status(5, 0, kind="vif", master="xenbr0", mtu=1400, link="up")
    # a live change of the bridge is not the guest's business
    ip(f"link set {vif.name} master xenbr1")
    rig.await_status(5, 0, kind="vif", master="xenbr1", link="up")
    seconds = vif.detach(force=True, script=True)
    check(seconds < AT_ONCE, f"closing took {seconds:.2f} s")
    check(vif.link() is None, "the tap is gone")


def own_name(rig):
    """vifname: the script renames the tap, which is followed, and so is whoever does it later."""
    if not have_bridges():
        print("  no bridges here: the stock script cannot run")
        return
    ip("link add xenbr0 type bridge", "link set xenbr0 up")
    vif = Vif(rig, 5, 3, vifname="lan0")
    check(vif.attach() is None, f"the attach succeeds: {vif.get('hotplug-error')}")
    check("lan0" in links() and vif.name not in links(), "it is renamed")
    vif.connect()
    rig.await_status(5, 3, kind="vif", tap="lan0", vifname="lan0", link="up")
    check(rig.messages("attach-vif")[0]["tap0"].startswith("lan0,"), "queues of the renamed one")
    ip("link set lan0 down", "link set lan0 name wan0")
    rig.await_status(5, 3, kind="vif", tap="wan0", link="up")
    os.kill(rig.messages("connect-vif")[-1]["pid"], signal.SIGKILL)
    rig.await_(lambda: len(rig.messages("connect-vif")) == 2, "served again")
    check(rig.messages("attach-vif")[1]["tap0"].startswith("wan0,"), "under its newest name")
    check(ours() == ["wan0", "xenbr0"], f"no others: {ours()}")
    vif.detach(force=True)
    check("wan0" not in links(), "the tap is gone, whatever its name")


def unknown_script(rig):
    """A script we know nothing of reports when it likes."""
    vif = Vif(rig, 5, 0, script="/usr/local/sbin/vif-of-somebody")
    vif.create()
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    vif.connect(await_connected=False)
    rig.await_never(f"{vif.backend}/state", CONNECTED, 0.2)
    rig.store.write(f"{vif.backend}/hotplug-status", "connected")
    rig.await_node(f"{vif.backend}/state", CONNECTED)
    # one that fails
    other = Vif(rig, 5, 1, script="/usr/local/sbin/vif-of-somebody")
    other.create()
    rig.await_node(f"{other.backend}/state", INITWAIT)
    rig.store.write(f"{other.backend}/hotplug-status", "error")
    other.connect(await_connected=False)
    rig.await_never(f"{other.backend}/state", [CONNECTED, CLOSING, CLOSED], 0.2)
    check(other.detach(force=True) < AT_ONCE and other.link() is None, "it goes like any other")


def split_queues(rig):
    """Four queues with two events each, then two: the tap has as many."""
    vif = Vif(rig, 5, 0)

    def keys(queues):
        nodes = {"multi-queue-num-queues": queues, "tx-ring-ref": None, "rx-ring-ref": None,
                 "event-channel": None}
        for i in range(queues):
            nodes.update({f"queue-{i}/tx-ring-ref": 10 + i, f"queue-{i}/rx-ring-ref": 20 + i,
                          f"queue-{i}/event-channel-tx": 30 + i,
                          f"queue-{i}/event-channel-rx": 40 + i})
        return nodes
    vif.create()
    vif.plugged()
    check(vif.get("multi-queue-max-queues") == "4", "four are offered")
    vif.connect(**keys(4))
    check(rig.messages("connect-vif")[0]["queue3"] == "13,23,33,43", "the fourth queue")
    check("tap3" in rig.messages("attach-vif")[0], "four queues of the tap")
    vif.front(state=CLOSING)
    rig.await_node(f"{vif.backend}/state", CLOSING)
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    check(vif.link() is not None, "the tap stays while the vif does")
    vif.front(state=INITIALISING)
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    vif.connect(**keys(2))
    check([m["queues"] for m in rig.messages("attach-vif")] == ["4", "2"], "attached anew")
    check(len(rig.messages("detach")) == 1, "after the four were given back")
    check(rig.messages("connect-vif")[1]["queues"] == "2", "two queues")


split_queues.config = "[backend]\nmax-queues = 4\n"


def control_ring(rig):
    Vif(rig, 5, 0).full(ctrl_ring_ref=77, event_channel_ctrl=78, xdp_headroom=256,
                        request_multicast_control=1, feature_no_csum_offload=1,
                        feature_ipv6_csum_offload=0)
    connect = rig.messages("connect-vif")[0]
    check(connect["control"] == "1" and connect["control_ref"] == "77"
          and connect["control_port"] == "78" and connect["fds"] == "2"
          and connect["headroom"] == "256", f"{connect}")
    check(int(connect["features"], 0) == 0x67, f"features {connect['features']}")
    rig.await_status(5, 0, kind="vif", control_ring=True, xdp_headroom=256,
                     features=["sg", "gso-tcpv4", "gso-tcpv6", "rx-notify", "multicast-control"])


def reconfigure(rig):
    """XDP in the guest: 7, our 8, 4, our 4, each time; multicast control at any time."""
    vif = Vif(rig, 5, 0).full()
    for headroom in (256, 0, 4095):
        vif.front(xdp_headroom=headroom)
        vif.front(state=RECONFIGURING)
        rig.await_node(f"{vif.backend}/state", RECONFIGURED)
        check(rig.messages("headroom")[-1]["headroom"] == str(headroom), "the worker knows by then")
        vif.front(state=CONNECTED)
        rig.await_node(f"{vif.backend}/state", CONNECTED)
    for multicast in ("1", "0"):
        vif.front(request_multicast_control=multicast)
        rig.await_(lambda m=multicast: rig.messages("headroom")[-1]["multicast"] == m, "told")
        check(rig.messages("headroom")[-1]["headroom"] == "4095", "with what else holds")
    # nothing changed is nothing to tell
    told = len(rig.messages("headroom"))
    vif.front(state=RECONFIGURING)
    rig.await_node(f"{vif.backend}/state", RECONFIGURED)
    check(len(rig.messages("headroom")) == told, "told again")
    # a guest that goes away in the middle of it
    vif.front(state=CLOSING)
    rig.await_node(f"{vif.backend}/state", CLOSING)
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)


def hostile_change(rig):
    for i, (key, value) in enumerate((("xdp-headroom", "4096"), ("xdp-headroom", "-1"),
                                      ("request-multicast-control", "yes"))):
        vif = Vif(rig, 5 + i, 0).full()
        vif.front(**{key: value})
        rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
        check(key in vif.get("hotplug-error") and value in vif.get("hotplug-error"),
              f"{vif.get('hotplug-error')}")
        vif.front(state=CLOSED)
        rig.await_node(f"{vif.backend}/state", CLOSED)
    # a worker that cannot
    vif = Vif(rig, 9, 0).full()
    rig.switch("fail-headroom", 22)
    vif.front(xdp_headroom=512)
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("told to fail" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")


def hostile_frontends(rig):
    """Each of these closes its own device and says why; nothing reaches the worker."""
    queues = {"multi-queue-num-queues": 2, "queue-0/tx-ring-ref": 1, "queue-0/rx-ring-ref": 2,
              "queue-0/event-channel": 3, "queue-1/tx-ring-ref": 1, "queue-1/rx-ring-ref": 2}
    cases = [
        ({"request_rx_copy": None}, "request-rx-copy"), ({"request_rx_copy": 0}, "request-rx-copy"),
        ({"tx_ring_ref": None}, "tx-ring-ref"), ({"rx_ring_ref": "0x8"}, "rx-ring-ref"),
        ({"tx_ring_ref": "4294967296"}, "tx-ring-ref"), ({"event_channel": 0}, "event-channel"),
        ({"event_channel": None}, "event-channel"),
        ({"event_channel": None, "event_channel_tx": 5}, "event-channel-rx"),
        ({"feature_sg": 2}, "feature-sg"), ({"feature_gso_tcpv6": "on"}, "feature-gso-tcpv6"),
        ({"multi_queue_num_queues": 0}, "multi-queue-num-queues"),
        ({"multi_queue_num_queues": 5}, "multi-queue-num-queues"),
        (queues, "queue-1/event-channel"),
        ({"ctrl_ring_ref": 7}, "event-channel-ctrl"),
        ({"ctrl_ring_ref": "7 ", "event_channel_ctrl": 7}, "ctrl-ring-ref"),
        ({"xdp_headroom": 4096}, "xdp-headroom"),
        ({"request_multicast_control": "A" * 2000}, "request-multicast-control"),
    ]
    vifs = []
    for i, (nodes, key) in enumerate(cases):
        vif = Vif(rig, 5, i)
        vif.create()
        vif.plugged()
        vif.connect(await_connected=False, **nodes)
        vifs.append((vif, key))
    for vif, key in vifs:
        rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
        error = vif.get("hotplug-error")
        check(key in error and len(error) < 400, f"{key}: {error}")
    check(rig.messages("connect-vif") == [], "no worker was told")
    check(len(ours()) == len(vifs), "taps stay while their vifs do")
    for vif, _ in vifs:
        vif.detach(force=True)
    # libxl does not wait for a backend that is closed already
    rig.await_(lambda: ours() == [], "nothing is left")


hostile_frontends.config = "[backend]\nmax-queues = 4\n"


def refusals(rig):
    """What cannot be served fails the attach at once, with the reason that libxl prints."""
    ip("tuntap add vif5.9 mode tap multi_queue vnet_hdr")
    for devid, nodes, words in (
            (0, {"mac": "00:16:3e:00:00"}, "mac"), (1, {"mac": None}, "mac"),
            (2, {"mac": "01:00:5e:00:00:01"}, "mac"), (3, {"handle": "4"}, "handle"),
            (4, {"type": "vif_virtio"}, "type"), (5, {"rate": "1000"}, "rate"),
            (6, {"rate": "0,50000"}, "rate"), (7, {"rate": "1000,10000001"}, "rate"),
            (8, {"vifname": "a/b"}, "vifname"), (9, {}, "vif5.9")):
        vif = Vif(rig, 5, devid, **nodes)
        begin = time.monotonic()
        error = vif.attach()
        seconds = time.monotonic() - begin
        check(error and words in error, f"{devid}: {error}")
        check(seconds < AT_ONCE, f"refusing took {seconds:.2f} s")
        vif.connect(await_connected=False)
        check(vif.detach() < AT_ONCE, "detaching what was refused")
        rig.await_node(f"/local/domain/0/error/{vif.relative}", None)
    check(ours() == ["vif5.9"], "the other's interface is left, and no other")


def no_tun(rig):
    """Without the device the error says what to do; a connected guest waits."""
    served = Vif(rig, 6, 0).full()
    subprocess.run(["mount", "-t", "tmpfs", "none", "/dev/net"], check=True)
    try:
        vif = Vif(rig, 5, 0)
        error = vif.attach()
        check(error and "modprobe tun" in error, f"{error}")
        os.kill(rig.messages("connect-vif")[-1]["pid"], signal.SIGKILL)
        rig.await_(lambda: served.get("hotplug-error") is not None, "it is told")
        check("modprobe tun" in served.get("hotplug-error"), f"{served.get('hotplug-error')}")
        check(served.state() == CONNECTED, "the guest is not")
    finally:
        subprocess.run(["umount", "/dev/net"], check=True)
    rig.await_(lambda: len(rig.messages("connect-vif")) == 2, "served again")
    rig.await_node(f"{served.backend}/hotplug-error", None)


def rate(rig):
    Vif(rig, 5, 0, rate="52428,50000").full()
    attach = rig.messages("attach-vif")[0]
    check(attach["rate"] == "52428" and attach["us"] == "50000", f"{attach}")
    rig.await_status(5, 0, kind="vif", rate_bytes=52428, rate_us=50000)


def carrier(rig):
    """Down on this host is no link in the guest; no guest is no link on this host."""
    vif = Vif(rig, 5, 0).full()
    rig.await_node(f"{vif.backend}/carrier", 0)
    ip(f"link set {vif.name} up")
    rig.await_node(f"{vif.backend}/carrier", 1)
    vif.await_carrier(True)
    ip(f"link set {vif.name} down")
    rig.await_node(f"{vif.backend}/carrier", 0)
    ip(f"link set {vif.name} up")
    vif.front(state=CLOSING)
    rig.await_node(f"{vif.backend}/state", CLOSING)
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    vif.await_carrier(False)
    vif.front(state=INITIALISING)
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    vif.connect()
    vif.await_carrier(True)


def taken_away(rig):
    """Somebody deletes the interface: that guest is told, and nobody else."""
    vif, other = Vif(rig, 5, 0).full(), Vif(rig, 6, 0).full()
    ip(f"link delete {vif.name}")
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("vif5.0" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    check(other.state() == CONNECTED, "the other goes on")
    check(vif.detach() < AT_ONCE, "detached")
    again = Vif(rig, 5, 0).full()
    check(again.link() is not None, "attached again")


def taken_from_a_worker(rig):
    """The interface goes while a worker is told to use it."""
    vif = Vif(rig, 5, 0)
    vif.create()
    vif.plugged()
    rig.switch("hold-connect-vif")
    vif.connect(await_connected=False)
    rig.await_(lambda: rig.messages("connect-vif"), "the worker is told")
    ip(f"link delete {vif.name}")
    rig.await_(lambda: vif.get("hotplug-error") is not None, "it is told")
    rig.switch("hold-connect-vif", on=False)
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("vif5.0" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    # between giving back one queue and having two
    other = Vif(rig, 6, 0).full()
    other.front(state=CLOSING)
    other.front(state=CLOSED)
    rig.await_node(f"{other.backend}/state", CLOSED)
    other.front(state=INITIALISING)
    rig.await_node(f"{other.backend}/state", INITWAIT)
    rig.switch("hold-detach")
    other.connect(await_connected=False, multi_queue_num_queues=2,
                  **{f"queue-{i}/{key}": 7 + i for i in range(2)
                     for key in ("tx-ring-ref", "rx-ring-ref", "event-channel")})
    rig.await_(lambda: rig.messages("detach"), "the queue is given back")
    ip(f"link delete {other.name}")
    rig.await_(lambda: other.get("hotplug-error") is not None, "it is told")
    rig.switch("hold-detach", on=False)
    rig.await_node(f"{other.backend}/state", [CLOSING, CLOSED])
    check("vif6.0" in other.get("hotplug-error"), f"{other.get('hotplug-error')}")


taken_from_a_worker.config = "[backend]\nmax-queues = 2\n"


def broken_at_once(rig):
    """A ring breaks before the worker has said that it serves it."""
    vif, disk = Vif(rig, 5, 0), Disk(rig, 6, 51712, rig.image("a.img"))
    rig.switch("break-connect-vif")
    rig.switch("break-connect")
    for device in vif, disk:
        device.create()
        device.plugged()
        device.connect(await_connected=False)
        rig.await_node(f"{device.backend}/state", [CLOSING, CLOSED])
        check("ring 0" in device.get("hotplug-error"), f"{device.get('hotplug-error')}")
        device.front(state=CLOSED)
        rig.await_node(f"{device.backend}/state", CLOSED)
    check(len(rig.messages("disconnect")) == 2, "what was connected is disconnected")
    # such a word is of that connection only
    rig.switch("fail-connect-vif", 5)
    vif.front(state=INITIALISING)
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    vif.connect(await_connected=False)
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("told to fail" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")
    rig.switch("fail-connect-vif", on=False)
    rig.switch("break-connect-vif", on=False)
    vif.front(state=CLOSED)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    vif.front(state=INITIALISING)
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    vif.connect()
    rig.await_status(5, 0, kind="vif", link="up", error=None)
    # and so with the rings that a dead worker has left
    rig.switch("break-connect-vif")
    os.kill(rig.messages("connect-vif")[-1]["pid"], signal.SIGKILL)
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("ring 0" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")


def beside_a_disk(rig):
    """Handles and disks' numbers overlap; one worker has both and keeps them apart."""
    devid = 51712
    disk = Disk(rig, 5, devid, rig.image("a.img")).full()
    vif = Vif(rig, 5, devid).full()
    pids = {m["pid"] for kind in ("connect", "connect-vif") for m in rig.messages(kind)}
    check(len(pids) == 1, f"workers {pids}")
    os.kill(pids.pop(), signal.SIGUSR1)
    rig.await_node(f"{vif.backend}/state", [CLOSING, CLOSED])
    check("ring 0" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")
    check(disk.state() == CONNECTED and disk.get("hotplug-error") is None, "the disk goes on")
    vif.detach(force=True)
    # It was closed before; the worker is told in its own time.
    rig.await_(lambda: rig.messages("detach", devid), "the worker to let go of the vif")
    check([m["class"] for m in rig.messages("detach", devid)] == ["1"], "only the vif is detached")
    check(disk.detach(force=True) < AT_ONCE, "the disk")


def emulated(rig):
    """The device model's interface of an HVM guest is not ours."""
    ip("tuntap add vif5.0-emu mode tap")
    vif = Vif(rig, 5, 0, type="vif_ioemu").full()
    rig.await_status(5, 0, kind="vif", type="vif_ioemu", link="up")
    vif.detach(force=True)
    check(ours() == ["vif5.0-emu"], f"{ours()}")


def kernel_backend(rig):
    """xen-netback was there first: it keeps what it has, until it lets go."""
    bound = f"{rig.sysfs}/bus/xen-backend/devices/vif-5-0/driver"
    os.makedirs(bound)
    vif = Vif(rig, 5, 0)
    vif.create()
    rig.await_(lambda: vif.get("hotplug-error") is not None, "it is told")
    check("xen-netback" in vif.get("hotplug-error"), f"{vif.get('hotplug-error')}")
    check(vif.state() == INITIALISING and vif.link() is None, "it is left alone")
    rig.await_status(5, 0, kind="vif", driver="kernel")
    os.rmdir(bound)
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    rig.await_node(f"{vif.backend}/hotplug-error", None)


def not_ours(rig):
    """vif = no: for a host that keeps xen-netback."""
    vif = Vif(rig, 5, 0)
    vif.create()
    disk = Disk(rig, 5, 51712, rig.image("a.img")).full()
    check(disk.state() == CONNECTED, "disks are served")
    check(vif.state() == INITIALISING and vif.link() is None, "interfaces are not")
    check(vif.status() is None, "nor known")


not_ours.config = "[backend]\nvif = no\n"


def vanished(rig):
    """All nodes go at once, in the middle of everything."""
    vif = Vif(rig, 5, 0).full()
    vif.destroy()
    rig.await_(lambda: vif.link() is None, "the tap is gone")
    rig.await_(lambda: rig.status()["guests"] == [], "the guest is forgotten")
    state = f"{rig.runtime}/vif-5-0.state"
    rig.await_(lambda: not os.path.exists(state), "its file is gone")
    check(rig.store.list("/local/domain/0/backend/vif/5") == [], "no node came back")


CASES = [whole_life, stock_script, own_name, unknown_script, split_queues, control_ring,
         reconfigure, hostile_change, hostile_frontends, refusals, no_tun, rate, carrier,
         taken_away, taken_from_a_worker, broken_at_once, beside_a_disk, emulated,
         kernel_backend, not_ours, vanished]

if __name__ == "__main__":
    enter_namespace()
    main(CASES, clean)
