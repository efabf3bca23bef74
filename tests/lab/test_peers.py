# SPDX-License-Identifier: GPL-2.0-or-later
"""Each end with the other project's counterpart."""

from harness import case

from lab.load import fio


def use(env):
    """Write, verify, attach, detach: what every pairing must do."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")])
    guest.run(fio("xvda"), timeout=60)
    guest.run(fio("xvda", bs="128k", size="4M", depth=4), timeout=60)
    guest.attach(env.image("8M").disk("xvdb"))
    guest.run(fio("xvdb", size="512k"))
    guest.detach("xvdb")
    guest.shutdown()


@case(benches="lab", backend="blkback", guests="pv", more_guests="pvh", timeout=180)
def xen_vbd_on_blkback(env):
    """xen-vbd on the kernel's backend."""
    use(env)


@case(benches="lab", backend="qdisk", guests="", more_guests="pv pvh", timeout=180)
def xen_vbd_on_qdisk(env):
    """xen-vbd on QEMU's backend."""
    use(env)


@case(benches="lab", frontend="xen-blkfront", guests="pvh", more_guests="pv", timeout=180)
def stock_frontend_on_daemon(env):
    """The kernel's frontend on xenpv-backendd."""
    use(env)


@case(benches="lab", guests="pvh", timeout=60)
def kernels_backends_stay_away(env):
    """modprobe is told so from the daemon's start on, also while it is down."""
    same = "cmp /usr/share/xenpv/xenpv-backend.conf /run/modprobe.d/xenpv-backend.conf"
    env.host.run(same)
    env.backend.restart()
    env.host.run(same)
    env.host.run("systemctl stop xenpv-backendd.service", timeout=60)
    env.host.run(same)
    env.host.run("systemctl start xenpv-backendd.service", timeout=60)


@case(
    benches="lab",
    frontend="xen-blkfront",
    backend="blkback",
    guests="",
    more_guests="pv pvh",
    timeout=180,
)
def stock_frontend_on_blkback(env):
    """The kernel's two ends: what fails here is the lab's fault."""
    use(env)
