# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's processes are killed again and again under verified I/O."""

import random
import time

from harness import case
from lab.load import VerifiedIo

KILLS = 100


def kill_often(env, kill):
    guest = env.guest(disks=[env.image("16M").disk("xvda")])
    load = VerifiedIo(guest, "xvda", size="1M")
    load.await_pass(env)
    chance = random.Random()
    for _ in range(KILLS):
        # Random instants are what is tested here; I/O must have gone on since the last kill.
        sent = guest.stats()["guest_sends"]
        env.await_(lambda: guest.stats()["guest_sends"] > sent, "I/O to go on", 30)
        time.sleep(chance.uniform(0, 0.05))
        kill(guest)
    load.await_pass(env)
    env.note("passes", load.stop())
    env.note("kills", KILLS)


@case(benches="uml", frontend="xen-vbd xen-blkfront", kernels="plain", timeout=300)
def kill_worker_100_times(env):
    """kill -9 of the worker: pauses, no error, no wrong data."""
    kill_often(env, env.backend.kill_worker)


@case(benches="uml", frontend="xen-vbd xen-blkfront", kernels="plain", timeout=300)
def kill_broker_100_times(env):
    """kill -9 of the broker, which is started again: the guest does not notice."""
    kill_often(env, lambda guest: env.backend.kill_broker())
