# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's processes die; the guest's I/O pauses and goes on."""

import random
import time

from harness import Disk, case

from lab.load import VerifiedIo

KILLS = 3


@case(benches="lab", frontend="xen-vbd xen-blkfront", guests="pv", more_guests="pvh", timeout=300)
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


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=120)
def restart_daemon(env):
    """`systemctl restart` of the daemon is a pause for the guest."""
    guest = env.guest(disks=[env.image("16M").disk("xvda")])
    load = VerifiedIo(guest, "xvda")
    load.await_pass(env)
    env.backend.restart()
    load.await_pass(env)
    load.stop()


@case(benches="lab", guests="pvh", frontend="xen-vbd xen-blkfront", timeout=200)
def kill_worker_with_io_on_the_disk(env):
    """Workers die while the disk has their requests: no request fails, no page is lost."""
    # 20 ms for each request, so there is always something on its way
    env.host.run(
        "modprobe null_blk nr_devices=1 gb=1 memory_backed=1 irqmode=2 completion_nsec=20000000"
    )
    guest = env.guest(disks=[Disk("/dev/nullb0", "xvdb", "w", {})])
    load = VerifiedIo(guest, "xvdb", bs="16k", depth=32)
    for _ in range(5):
        load.await_pass(env)
        env.backend.kill_worker(guest)
    load.await_pass(env)
    load.stop()
    guest.detach("xvdb")
    env.host.run("modprobe -r null_blk")
