#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Broker and workers end in every way; taps stay in their bridges and guests are served again."""

import os
import signal

from control_rig import (AT_ONCE, CLOSED, CLOSING, CONNECTED, INITIALISED, INITIALISING, INITWAIT,
                         check, main)
from control_vif import Vif, clean, enter_namespace, have_bridges, ip, links, ours

RECONFIGURING, RECONFIGURED = 7, 8


def bridged(vif):
    """In a bridge, where there are some, and up, as a script leaves it."""
    if have_bridges():
        if "xenbr0" not in links():
            ip("link add xenbr0 type bridge", "link set xenbr0 up")
        ip(f"link set {vif.name} master xenbr0")
    ip(f"link set {vif.name} up")


def reattached(rig, times=1):
    rig.await_(lambda: sum(m["reattach"] == "1" for m in rig.messages("connect-vif")) >= times,
               f"reattach number {times}")


def unnoticed(vif, action):
    """Neither the guest nor the bridge may see anything of what happens."""
    rig, before = vif.rig, vif.link()
    action()
    after = vif.link()
    check(after and after["ifindex"] == before["ifindex"], "it is the same tap")
    check(after.get("master") == before.get("master"), "it is in its bridge still")
    check(vif.state() == CONNECTED, f"state is {vif.state()}")
    rig.await_status(vif.domid, vif.devid, kind="vif", link="up", state="Connected", error=None)
    vif.await_carrier(True)


def worker_killed(rig):
    vif, other = Vif(rig, 5, 0).full(), Vif(rig, 6, 0).full()
    bridged(vif)

    def mine(kind):
        return [m for m in rig.messages(kind) if m["domid"] == 5]

    def kill_it():
        for i in range(5):
            os.kill(mine("connect-vif")[-1]["pid"], signal.SIGKILL)
            rig.await_(lambda n=i + 2: len(mine("connect-vif")) >= n, "served again")
    unnoticed(vif, kill_it)
    check(all(m["kept"] == "4096" for m in mine("attach-vif")[1:]), "the state file is passed on")
    check(all(m["reattach"] == "1" for m in mine("connect-vif")[1:]), "reattached")
    check(len([m for m in rig.messages("connect-vif") if m["domid"] == 6]) == 1,
          "others notice nothing")
    check(other.state() == CONNECTED, "other")


def broker_killed(rig):
    vif = Vif(rig, 5, 0).full(ctrl_ring_ref=77, event_channel_ctrl=78)
    bridged(vif)
    for i in range(5):
        def again():
            rig.kill()
            check(vif.link() is not None, "the tap outlives its maker")
            rig.start()
            reattached(rig, i + 1)
        unnoticed(vif, again)
    check(rig.messages("connect-vif")[-1]["control_ref"] == "77", "what was agreed on still holds")
    vif.detach(force=True)
    check(vif.link() is None, "detached")


def other_settings(rig):
    """systemctl restart, with fewer queues to offer: a connected guest keeps its two."""
    vif = Vif(rig, 5, 0)
    vif.create()
    vif.plugged()
    vif.connect(multi_queue_num_queues=2, tx_ring_ref=None, rx_ring_ref=None, event_channel=None,
                **{f"queue-{i}/{key}": 7 + i for i in range(2)
                   for key in ("tx-ring-ref", "rx-ring-ref", "event-channel")})
    bridged(vif)

    def restart():
        check(rig.stop() == 0, "ends cleanly")
        with open(rig.config, "a", encoding="utf-8") as f:
            f.write("[backend]\nmax-queues = 1\n")
        rig.start()
        reattached(rig)
    unnoticed(vif, restart)
    check(rig.messages("attach-vif")[-1]["queues"] == "2", "two queues")


other_settings.config = "[backend]\nmax-queues = 2\n"


def both_killed(rig):
    vif = Vif(rig, 5, 0).full()
    bridged(vif)

    def both():
        os.kill(rig.messages("connect-vif")[-1]["pid"], signal.SIGKILL)
        rig.kill()
        rig.start()
        reattached(rig)
    unnoticed(vif, both)


def renamed(rig):
    """A restart finds its taps whatever they are called."""
    vif = Vif(rig, 5, 0).full()
    ip(f"link set {vif.name} name lan0")
    vif.name = "lan0"
    rig.await_status(5, 0, kind="vif", tap="lan0")
    bridged(vif)

    before = vif.link()["ifindex"]
    rig.kill()
    ip("link set lan0 name wan0")
    vif.name = "wan0"
    rig.start()
    reattached(rig)
    check(vif.link()["ifindex"] == before, "the same tap")
    rig.await_status(5, 0, kind="vif", tap="wan0", link="up")
    check(len([n for n in ours() if n != "xenbr0"]) == 1, f"no others: {ours()}")


def leftovers(rig):
    """Taps of guests that ended meanwhile go; those of others stay, and so do strangers'."""
    gone, stays = Vif(rig, 5, 0).full(), Vif(rig, 6, 0).full()
    waits = Vif(rig, 7, 0)
    waits.create()
    rig.await_node(f"{waits.backend}/state", INITWAIT)
    ip(f"link set {gone.name} name lan0", "tuntap add vif9.0 mode tap")
    rig.kill()
    gone.destroy()
    rig.start()
    rig.await_(lambda: ours() == ["vif6.0", "vif7.0", "vif9.0"], f"what is left: {ours()}")
    reattached(rig)
    check(stays.state() == CONNECTED and waits.state() == INITWAIT, "nothing else changed")
    waits.plugged()
    waits.connect()


def number_of_another(rig):
    """Detached and attached anew while no broker ran: the tap of the earlier one goes."""
    vif, same = Vif(rig, 5, 0).full(), Vif(rig, 6, 0).full()
    kept = same.link()["ifindex"]
    ip(f"link set {vif.name} name lan0")
    rig.kill()
    for gone in vif, same:
        gone.destroy()
        gone.create()
    rig.start()
    for new in vif, same:
        rig.await_node(f"{new.backend}/state", INITWAIT)
        new.plugged()
        new.connect()
    check(ours() == ["vif5.0", "vif6.0"], f"what is there: {ours()}")
    check(same.link()["ifindex"] == kept, "one that has its name still is taken")


def tap_away(rig):
    """Removed while nobody looked: made again, and said."""
    vif = Vif(rig, 5, 0).full()
    rig.kill()
    ip(f"link delete {vif.name}")
    rig.start()
    reattached(rig)
    check(vif.link() is not None, "made again")
    check("put it into its bridge" in rig.logged(), "and said")


def tap_away_too(rig):
    """Removed while its guest has no worker, or one that does not get on: made again."""
    vif = Vif(rig, 5, 0).full()
    # the worker has queues of the old one, but cannot connect
    rig.switch("fail-connect-vif", 5)
    os.kill(rig.messages("connect-vif")[-1]["pid"], signal.SIGKILL)
    rig.await_(lambda: len(rig.messages("connect-vif")) > 2, "it is tried")
    ip(f"link delete {vif.name}")
    rig.await_(lambda: vif.link() is not None, "made again")
    check(vif.state() == CONNECTED, "the guest waits")
    rig.switch("fail-connect-vif", on=False)
    rig.await_status(5, 0, kind="vif", link="up", state="Connected", error=None)
    check(len(rig.messages("detach")) == 1, "the queues of the old one are given back")
    ip(f"link set {vif.name} up")
    vif.await_carrier(True)
    check("put it into its bridge" in rig.logged(), "and said")


def state_of_no_use(rig):
    vif = Vif(rig, 5, 0).full()
    bridged(vif)
    rig.kill()
    rig.switch("fail-connect-vif", 74)  # EBADMSG
    rig.start()
    rig.await_(lambda: "of no use" in rig.logged(), "it is logged")
    rig.switch("fail-connect-vif", on=False)
    reattached(rig)
    unnoticed(vif, lambda: None)


def every_state(rig):
    """A broker that starts finds each kind of half-done business and ends it."""
    vifs = {}
    ends = {
        (INITIALISING, INITIALISING, 1): INITWAIT, (INITWAIT, INITIALISING, 1): INITWAIT,
        (INITWAIT, INITIALISED, 1): CONNECTED, (INITWAIT, CONNECTED, 1): CONNECTED,
        (CONNECTED, CONNECTED, 1): CONNECTED, (CONNECTED, INITIALISED, 1): CONNECTED,
        (CONNECTED, RECONFIGURING, 1): RECONFIGURED, (RECONFIGURED, CONNECTED, 1): CONNECTED,
        (RECONFIGURED, RECONFIGURING, 1): RECONFIGURED, (CONNECTED, CLOSING, 1): CLOSED,
        (CONNECTED, CLOSED, 1): CLOSED, (CLOSING, CLOSING, 1): CLOSED,
        (CLOSING, CONNECTED, 0): CLOSED, (CLOSED, INITIALISING, 1): INITWAIT,
        (CLOSED, CLOSED, 1): CLOSED, (CLOSED, CLOSED, 0): CLOSED}
    for i, (ours_, front, online) in enumerate(ends):
        vif = Vif(rig, 5 + i, 0, state=ours_, online=online, hotplug_status="connected",
                  multi_queue_max_queues=1, feature_ctrl_ring=1)
        vif.create()
        vif.front(**vif.keys(state=front))
        vifs[(ours_, front, online)] = vif
    rig.start()
    for key, wanted in ends.items():
        rig.await_node(f"{vifs[key].backend}/state", wanted)
    # two new connections, and five of connected guests
    rig.await_(lambda: len(rig.messages("connect-vif")) == 7, "seven connections")
    reattaches = {m["domid"] for m in rig.messages("connect-vif") if m["reattach"] == "1"}
    check(reattaches <= set(range(9, 14)), f"reattached: {reattaches}")


every_state.stopped = True


def refused_stays_refused(rig):
    vif = Vif(rig, 5, 0, mac="nonsense")
    vif.create()
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    rig.kill()
    rig.start()
    check("nonsense" in vif.get("hotplug-error"), "the reason is still there")
    check(vif.state() == INITWAIT and vif.link() is None, "libxl can still read 2")
    check(vif.plug() != 0, "and its script fails")
    check(vif.detach() < AT_ONCE, "detached")


CASES = [worker_killed, broker_killed, other_settings, both_killed, renamed, leftovers,
         number_of_another, tap_away, tap_away_too, state_of_no_use, every_state,
         refused_stays_refused]

if __name__ == "__main__":
    enter_namespace()
    main(CASES, clean)
