# SPDX-License-Identifier: GPL-2.0-or-later
"""xen-vnif and a backend whose control ring misbehaves: packets go on, if need be without it."""

from harness import Nic, case

from uml.hostile import HOSTILE, await_spoilt, connected, prepare, reconnects, spoil
from uml.netload import alive, exercise, used

# Requests of netif.h.
GET_SIZE, ADD = "@8", "@9"

# Answers that cannot be: the connection is made anew, and this is said of it.
IMPOSSIBLE = (
    ("ctrl-bad-id" + GET_SIZE, "a control response with a wrong id"),
    ("ctrl-bad-id" + ADD, "a control response with a wrong id"),
    ("ctrl-bad-type" + ADD, "a control response of another type"),
    ("ctrl-bad-status" + ADD, "a control response with an unknown status"),
    ("ctrl-bad-index" + GET_SIZE, "too many control responses"),
    ("ctrl-bad-index" + ADD, "too many control responses"),
    ("ctrl-twice" + ADD, "too many control responses"),
    ("ctrl-early", "too many control responses"),
)

# Refusals, odd sizes and silence: fault, (queues whose pages it keeps to send, to receive).
ODD = (
    ("ctrl-none", (1, 1)),
    ("ctrl-huge" + GET_SIZE, (1, 1)),
    ("ctrl-tx-only" + GET_SIZE, (1, 0)),
    ("ctrl-tiny" + GET_SIZE, (0, 0)),
    ("ctrl-unsupported" + GET_SIZE, (0, 0)),
    ("ctrl-overflow" + ADD, (0, 0)),
    ("ctrl-invalid" + ADD, (0, 0)),
    ("ctrl-scribble" + ADD, (1, 1)),
    ("ctrl-mapped" + ADD, (1, 1)),
    ("ctrl-events", (1, 1)),
    ("ctrl-mute" + ADD, (1, 1)),
    ("ctrl-lost" + GET_SIZE, (0, 0)),
    ("ctrl-lost" + ADD, (0, 0)),
)


def kept(guest):
    """Queues whose pages the backend keeps, to send and to receive."""
    return guest.vif_stat("static_tx_queues"), guest.vif_stat("static_rx_queues")


def connect_anew(env, guest, fault, times=1):
    """Another connection, nobody's fault by itself, which meets this fault; until it works."""
    before = reconnects(guest)
    spoil(env, guest, fault)
    on = guest.offload("show")["rx-checksum"]["on"]
    guest.offload("rx-checksum", "off" if on else "on")
    env.await_(lambda: reconnects(guest) >= before + times, f"{times} connections with {fault}")
    env.await_(lambda: connected(guest), f"a connection after {fault}")
    if not fault.startswith(("ctrl-none", "ctrl-late")) and not fault.endswith("!"):
        await_spoilt(env, guest)
    alive(env, guest)
    env.check(reconnects(guest) == before + times, f"{fault}: another number of reconnects")


def prepare_kept(env, parameters=""):
    """The same as prepare(), with static grants; and what is in use then."""
    guest = prepare(env, parameters)
    connect_anew(env, guest, "ctrl-none")
    env.check(kept(guest) == (1, 1), f"static grants: {kept(guest)}")
    return guest, used(guest)


def attach_anew(env, guest):
    """Another interface in the place of the first."""
    guest.detach_nic(0)
    guest.attach_nic(Nic(env.net.bridge(0)))
    guest.configure(0)


def end(env, guest, before):
    """All is as it was before, and the other interface has noticed nothing."""
    connect_anew(env, guest, "ctrl-none")
    exercise(env, guest, size="64K")
    alive(env, guest, 1)
    env.check(reconnects(guest, 1) == 0, "the other interface suffered, too")
    env.await_(lambda: used(guest) == before, f"event channels and grants to be {before} again")
    env.allow_log("reconnecting|still in use|no answer to control request")


@case(**HOSTILE)
def net_control_impossible_answers(env):
    """Each kind of answer that cannot be: one clear message, a reconnect, static grants again."""
    guest, before = prepare_kept(env, "max_recoveries=32")
    error = f"/local/domain/{guest.domid}/error/device/vif/0/error"
    for number, (fault, message) in enumerate(IMPOSSIBLE):
        # An interface that has met three of these does not ask any more.
        if number % 2 == 0:
            attach_anew(env, guest)
        # One connection made on purpose, and one for the fault.
        connect_anew(env, guest, fault, times=2)
        env.check(kept(guest) == (1, 1), f"{fault}: static grants: {kept(guest)}")
        said = env.store.read(error) or ""
        env.check(message in said, f"{fault}: {message!r} is not in the error node: {said!r}")
    end(env, guest, before)


@case(**HOSTILE)
def net_control_odd_answers(env):
    """Refusals, absurd sizes, lists written over, silence: packets go on over one connection."""
    guest, before = prepare_kept(env)
    for fault, keeps in ODD:
        connect_anew(env, guest, fault)
        env.check(kept(guest) == keeps, f"{fault}: static grants: {kept(guest)}, not {keeps}")
    # Too late: the answer comes when nobody waits for it.
    connect_anew(env, guest, "ctrl-late" + GET_SIZE)
    env.await_(lambda: "no answer to control request 8" in guest.dmesg(), "it to be missed")
    spoil(env, guest, "ctrl-none")
    alive(env, guest)
    env.check(kept(guest) == (0, 0), f"static grants: {kept(guest)}")
    end(env, guest, before)


@case(**HOSTILE)
def net_control_always_wrong(env):
    """A backend that is never right there: the third time the interface does without."""
    guest = prepare(env, "")
    before = used(guest)
    connect_anew(env, guest, "ctrl-bad-id!", times=4)
    env.check(guest.vif_stat("control_ring") == 0, "the control ring is still used")
    env.check("3 impossible answers on the control ring" in guest.dmesg(), "nothing was said")
    exercise(env, guest, size="64K")
    alive(env, guest, 1)
    env.await_(lambda: used(guest) == before, f"event channels and grants to be {before} again")
    # A migration may bring another backend, a new attach does for certain.
    attach_anew(env, guest)
    connect_anew(env, guest, "ctrl-none")
    env.check(kept(guest) == (1, 1), f"static grants: {kept(guest)}")
    env.allow_log("reconnecting|still in use")
