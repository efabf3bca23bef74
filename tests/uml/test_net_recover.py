# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces come and go, the backend dies, the guest is saved: traffic goes on."""

import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

from harness import Nic, case

from uml.announce import Listener
from uml.netload import alive, exercise, finish, stream, used

BOTH = {"benches": "uml", "frontend": "xen-vnif xen-netfront", "net": True}


def attach_and_detach(env, guest, times, under_traffic, number=1, stop=None):
    """Attach another interface, use it, detach it while it is used; it has a bridge to itself."""
    bridge = env.net.bridge(number)
    for turn in range(times):
        if stop and stop.is_set():
            return
        guest.attach_nic(Nic(bridge), number=number)
        if turn % under_traffic == 0:
            guest.configure(number)
            alive(env, guest, number)
            # Nobody ends this one: its interface goes away below it.
            job = guest.start_tool(
                "traffic", "blast", guest.host_address(number), "--size", 1000, "--seconds", 600
            )
            tap = f"link show {guest.tap(number)}"
            before = packets(env, tap)
            env.await_(lambda: packets(env, tap) > before + 20, "datagrams to flow")
            guest.detach_nic(number)
            guest.run(f"kill -9 {job.pid}", check=False)  # if nobody told it to give up
        else:
            guest.detach_nic(number)


LANES = 4


def at_once(env, guest, times, under_traffic):
    """The same with several interfaces: some come while others go, or are used."""
    stop = Event()  # when one has failed
    with ThreadPoolExecutor(LANES) as pool:
        lanes = [
            pool.submit(attach_and_detach, env, guest, times // LANES, under_traffic, number, stop)
            for number in range(1, LANES + 1)
        ]
        try:
            for lane in as_completed(lanes):
                lane.result()
        finally:
            stop.set()


def packets(env, show):
    """Packets that an interface of the host has received."""
    link = env.net.json(*f"-statistics {show}".split())[0]
    return link["stats64"]["rx"]["packets"]


@case(**BOTH)
def net_attach_and_detach(env):
    """Five times under traffic, with a stream through another interface all the time."""
    guest = env.guest(nics=[Nic(env.net.bridge(0))])
    guest.configure()
    attach_and_detach(env, guest, 1, 1)
    before = used(guest)
    job = stream(env, guest)
    attach_and_detach(env, guest, 5, 1)
    finish(env, job)
    env.check(used(guest) == before, f"event channels and grants: {before}, then {used(guest)}")


def slab(guest):
    return int(guest.read("/proc/meminfo").split("SUnreclaim:")[1].split()[0])


def memory_after(env, guest, times, under_traffic):
    """Attach and detach; nothing may be left, and memory stays where it was."""
    at_once(env, guest, LANES, 1)  # what is allocated once and for all
    before, mine, slabs = used(guest), guest.memory(), slab(guest)
    at_once(env, guest, times, under_traffic)
    env.check(used(guest) == before, f"event channels and grants: {before}, then {used(guest)}")
    growth = slab(guest) - slabs
    env.note("slab_growth", f"{growth}kB")
    env.note("growth", f"{(guest.memory() - mine) >> 10}kB")
    env.check(growth < 1024, f"the kernel's memory grew by {growth} kB, from {slabs} kB")


@case(benches="uml", frontend="xen-vnif", kernels="plain", net=True, timeout=900)
def net_attach_and_detach_1000_times(env):
    """The guest's kernel needs no more memory afterwards; one in twenty under traffic."""
    guest = env.guest(nics=[Nic(env.net.bridge(0))])
    guest.configure()
    memory_after(env, guest, 1000, 20)


def kill_often(env, times, ways):
    """Kill processes of the daemon below a stream, which has to end whole."""
    guest = env.guest(nics=[Nic(env.net.bridge())])
    guest.configure()
    exercise(env, guest, size="64K")
    job = stream(env, guest)
    chance = random.Random()
    kills = {"worker": env.backend.kill_worker, "broker": lambda _: env.backend.kill_broker()}
    for _ in range(times):
        for way in ways:
            # Random instants are what is tested here; it must have gone on since the last kill.
            job.await_more(1)
            time.sleep(chance.uniform(0, 0.05))
            kills[way](guest)
    job.await_more(1)
    link = env.net.links()[guest.tap()]
    env.check(link.get("master") == "xenbr0", f"{guest.tap()} is on no bridge any more")
    result = finish(env, job)
    env.note("longest_stall", f"{result['longest_stall_ms'] / 1000:.1f}s")
    exercise(env, guest, size="64K")


@case(**BOTH)
def net_kill(env):
    """kill -9 of worker and broker, three times each: a pause, and a stream that is whole."""
    kill_often(env, 3, ("worker", "broker"))


@case(**{**BOTH, "kernels": "plain", "timeout": 900})
def net_kill_100_times(env):
    """The same, a hundred times each."""
    kill_often(env, 100, ("worker", "broker"))


@case(**BOTH)
def net_save_restore(env):
    """Saved, going on as another domain: announced anew, with the user's own address, too."""
    guest = env.guest(nics=[Nic(env.net.bridge())])
    guest.configure()
    job = stream(env, guest)
    mac = guest.nic_options[0].mac
    for anew in (False, env.frontend == "xen-vnif"):  # the other one takes none while it is up
        if anew:
            # The host learns it from the announcement.
            mac = "02:77:00:00:77:77"
            guest.ip(f"link set {guest.interface()} address {mac}")
        listener = Listener(env)
        guest.save_restore()
        guest.await_nic(0)
        listener.await_announced(guest, mac)
        listener.close()
        job.await_more(1)
        now = guest.read(f"/sys/class/net/{guest.interface()}/address").strip()
        env.check(now == mac, f"the guest's address is {now} now, it was {mac}")
    finish(env, job)
    exercise(env, guest, size="64K")
