# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's processes die; the guest's I/O pauses and goes on."""

import random
import time

from harness import case

from lab.load import VerifiedIo

KILLS = 3


@case(benches="lab", frontend="xen-vbd xen-blkfront", timeout=300)
def kill_worker_and_broker(env):
    """kill -9 of the worker and of the broker, three times each at random instants: no error."""
    guest = env.guest(disks=[env.image("16M").disk("xvda")])
    load = VerifiedIo(guest, "xvda")
    load.await_pass(env)
    chance = random.Random()
    kills = [("worker", lambda: env.backend.kill_worker(guest))] * KILLS
    kills += [("broker", env.backend.kill_broker)] * KILLS
    chance.shuffle(kills)
    for _, kill in kills:
        # The instant within a pass is what is random here.
        time.sleep(chance.uniform(0, 2))
        kill()
        load.await_pass(env)
    env.note("passes", load.stop())


@case(benches="lab uml", timeout=120)
def restart_daemon(env):
    """`systemctl restart` of the daemon is a pause for the guest."""
    guest = env.guest(disks=[env.image("16M").disk("xvda")])
    load = VerifiedIo(guest, "xvda")
    load.await_pass(env)
    env.backend.restart()
    load.await_pass(env)
    load.stop()
