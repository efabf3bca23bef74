# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose first interface has testback-vif for its backend, which is told what to spoil."""

from harness import Nic

from uml.netload import alive, exercise

HOSTILE = {"benches": "uml", "frontend": "xen-vnif", "backend": "testback-vif", "net": True}

def reconnects(guest, number=0):
    return guest.vif_stat("reconnects", number)


def connected(guest):
    return guest.vif_stat("state") == "Connected"


def spoil(env, guest, fault, number=0):
    env.store.write(f"{guest.vif_backend(number)}/fault", fault)


def await_spoilt(env, guest, timeout=30, number=0):
    """Until the fault has met a packet."""
    node = f"{guest.vif_backend(number)}/fault"
    env.await_(lambda: env.store.read(node) == "none", "the fault to happen", timeout)


def prepare(env, parameters):
    """A guest with two interfaces: the first will suffer, the other is to notice nothing."""
    guest = env.guest(
        nics=[Nic(env.net.bridge(0)), Nic(env.net.bridge(1))],
        parameters={"xen-vnif": f"close_wait_ms=200 {parameters}"},
    )
    guest.configure()
    exercise(env, guest, size="64K")
    alive(env, guest, 1)
    return guest
