# SPDX-License-Identifier: GPL-2.0-or-later
"""An interface is put on another bridge while the guest uses it."""

from harness import Nic, case
from net.packets import Ping, ping_all

from uml.netload import finish, stream, used
from uml.outside import Cable, Outside

BOTH = {"benches": "uml", "frontend": "xen-vnif xen-netfront", "net": True}


class Mover:
    """Moves a guest's interface among bridges, as a person does, and sees what follows."""

    def __init__(self, env, guest):
        self._env, self._guest = env, guest
        self._folders = [
            word
            for option in ("runtime-dir", "network-dir", "config")
            for word in (f"--{option}", env.scratch / f"bridge-{option}")
        ]
        (env.scratch / "bridge-config").touch()

    def by_command(self, bridge):
        self._env.net.run(
            self._env.tools / "bin/xenpv",
            *("bridge", "move", self._guest.tap(), bridge),
            *self._folders,
        )

    def by_hand(self, bridge):
        self._env.net.ip(f"link set {self._guest.tap()} master {bridge}")

    def await_followed(self, bridge):
        """Until the daemon knows where the interface is."""
        self._env.await_(
            lambda: self._env.backend.vif(self._guest.domid, 0).get("master") == bridge,
            f"the daemon to see {self._guest.tap()} on {bridge}",
        )


class State:
    """What would be another if the device had been reset, or the guest told of anything."""

    def __init__(self, env, guest):
        self._env, self._guest = env, guest
        ends = env.toolstack.paths(guest.domid, "vif0")[:2]
        self._watches = [env.store.watch(f"{path}/state") for path in ends]
        for watch in self._watches:
            watch.get(env.scaled(20))  # the first event comes by itself
        # the status file is a moment behind
        env.await_(lambda: guest.domid in env.backend.workers(), "the worker's process id")
        self._seen = self._look()

    def _look(self):
        carrier = f"/sys/class/net/{self._guest.interface()}/carrier_changes"
        return used(self._guest), self._guest.read(carrier), self._env.backend.workers()

    def check_same(self):
        events = [watch.get(0) for watch in self._watches]
        self._env.check(events == [None, None], f"a state was written: {events}")
        for watch in self._watches:
            watch.close()
        now = self._look()
        self._env.check(now == self._seen, f"it was {self._seen}, and is {now}")


@case(**BOTH)
def net_bridge_changes(env):
    """To another bridge and back, five times under a stream: it goes on, nothing is reset."""
    bridges = env.net.bridge(0), env.net.bridge(1)
    outside = Outside(env, *bridges)
    guest = env.guest(nics=[Nic(bridges[0])])
    guest.configure()
    mac = guest.nic_options[0].mac
    mover = Mover(env, guest)
    job = stream(env, guest, host=outside.address)
    before = State(env, guest)
    for turn in range(10):
        old, new = bridges[turn % 2], bridges[1 - turn % 2]
        (mover.by_command if turn % 4 < 2 else mover.by_hand)(new)
        mover.await_followed(new)
        # What was on its way is lost, until the switch hears the guest from the new one.
        outside.await_way(mac, new)
        job.await_more(100_000)
        cables = [Cable(env, outside, bridge, mac) for bridge in (old, new)]
        job.await_more(200_000)
        stale, fresh = (len(cable.frames()) for cable in cables)
        env.check(not stale, f"turn {turn}: {stale} frames still on {old}")
        env.check(fresh, f"turn {turn}: no frames on {new}")
        for cable in cables:
            cable.close()
    before.check_same()
    # Nobody runs the script again, which knows of another bridge.
    mover.by_hand(bridges[1])
    env.backend.kill_broker()
    mover.await_followed(bridges[1])
    job.await_more(100_000)
    result = finish(env, job)
    env.note("longest_stall", f"{result['longest_stall_ms'] / 1000:.1f}s")


@case(**BOTH)
def net_bridge_change_at_rest(env):
    """The command announces a guest that says nothing: the switch outside knows its new way."""
    bridges = env.net.bridge(0), env.net.bridge(1)
    outside = Outside(env, *bridges)
    guest = env.guest(nics=[Nic(bridges[0])])
    guest.configure()
    mover = Mover(env, guest)
    mac = guest.nic_options[0].mac
    guest.traffic("all", outside.address, outside.address6, "--bytes", "64K")
    for old, new in (bridges, bridges[::-1]):
        env.check(outside.way_to(mac) == outside.ends(old)[1], f"{mac} is not behind {old}")
        mover.by_command(new)
        outside.await_way(mac, new)
        noted = env.store.read(f"{guest.vif_backend()}/bridge")
        env.check(noted == new, f"xenstore says {noted}")
        wrong = ping_all([Ping(outside.space, "sw0", guest.address())], [True], quiet=0)
        env.check(not wrong, f"from outside, on {new}: {wrong}")
        guest.traffic("all", outside.address, outside.address6, "--bytes", "64K")
