# SPDX-License-Identifier: GPL-2.0-or-later
"""xenpv-backendd in a driver domain: guests have their devices from another guest."""

import json

from harness import Disk, Nic, case, traffic

from lab.host import Backend
from lab.load import fio
from lab.network import Network

# Patient: while this machine is busy, an emulated guest takes a minute to restart a daemon.
SERVER = "traffic serve --seconds 3600 --timeout 240"
# Without "xl devd", the daemon is all that runs there.
SETTINGS = "[backend]\nhotplug-scripts = no\n"

# What the Debian guest lacks, put together in dom0, where all of it is installed: the daemon,
# its libraries and modules.
PACK = """
set -e
cd {folder}
mkdir -p pack/lib pack/modules
cp -a /lab/host pack
cp -L $(ldd /usr/sbin/xenpv-backendd /usr/sbin/xenpv-worker | awk '/=> \\// {{ print $3 }}' |
    sort -u) pack/lib
files=$(modprobe -aD tun bridge xen-evtchn xen-gntdev | awk '/^insmod/ {{ print $2 }}' | sort -u)
(cd /lib/modules && cp --parents $(echo "$files" | sed 's,.*/lib/modules/,,') {folder}/pack/modules)
mke2fs -q -t ext4 -O ^has_journal -d pack {folder}/pack.img 32M
rm -r pack
"""
UNPACK = (
    "mkdir -p /lab && mount -o ro /dev/xvdb /lab && "
    "cp -n /lab/lib/*.so* /usr/lib/x86_64-linux-gnu && "
    "cp -r /lab/modules/. /lib/modules && depmod -a"
)


class DriverDomain:
    """A Debian guest with the daemon and a bridge."""

    def __init__(self, env):
        self._env = env
        env.host.run(PACK.format(folder=env.folder))
        disks = env.overlay("/dev/vdc").disk("xvda"), Disk(f"{env.folder}/pack.img", "xvdb", "r")
        self.guest = env.guest(disks=disks, image="debian", config="driver_domain = 1")
        self.run = self.guest.run
        self.run(UNPACK)
        self.backend = self.guest.backend = Backend(self.guest, "xenpv-backendd")
        self.backend.install()
        self.backend.configure(SETTINGS)
        self.network = Network(self.guest, "xenbr0", 0)
        self.home = f"/local/domain/{self.guest.domid}"

    def nic(self):
        return Nic("xenbr0", options={"backend": self.guest.name})

    def disk(self, size, vdev):
        """A disk of an image file in the driver domain."""
        path = f"/srv/{vdev}.img"
        self.run(f"truncate -s {size} {path}")
        return Disk(path, vdev, options={"backend": self.guest.name})

    def taps(self):
        listed = self.run("cd /sys/class/net && ls -d vif* 2>/dev/null", check=False)
        return listed.out.split()

    def nodes(self, kind, guest):
        """Numbers of the guest's devices that have nodes."""
        listed = f"xenstore-list {self.home}/backend/{kind}/{guest.domid}"
        return self._env.host.run(listed, check=False).out.split()

    def served(self):
        """Numbers of the domains that the daemon knows."""
        status = json.loads(self.run("xenpv-backendd --status").out)
        return [guest["domid"] for guest in status["guests"]]


def check_left(env, domain, guest, taps, nodes):
    """What is left of a guest's interfaces in the driver domain and of their nodes."""
    env.check(domain.taps() == taps, f"taps: {domain.taps()}, not {taps}")
    left = domain.nodes("vif", guest)
    env.check(left == nodes, f"interfaces in xenstore: {left}, not {nodes}")


def use_network(env, domain):
    guest = env.guest(nics=[domain.nic()])
    interface, _ = domain.network.join(guest)
    server = domain.network.addresses(1)
    first = f"vif{guest.domid}.0"
    env.check(domain.taps() == [first], f"taps: {domain.taps()}")
    guest.run(f"ping -c 2 {server[0]}")
    traffic.compare(guest, server)
    # One more, for a while, with the guest up.
    one = guest.grants()
    handle = guest.attach_nic(domain.nic())
    domain.network.join(guest, handle)
    check_left(env, domain, guest, [first, f"vif{guest.domid}.{handle}"], ["0", str(handle)])
    both = guest.grants()
    guest.detach_nic(handle)
    check_left(env, domain, guest, [first], ["0"])
    # What an interface has granted goes up and down; the second one's ring alone is far more.
    left = guest.grants()
    env.check(left < (one + both) / 2, f"grants: {one}, {both} and then {left}")
    stream = traffic.Stream(env, guest, server[0], timeout=240)
    stream.await_progress("at the beginning")
    domain.backend.kill_worker(guest)
    env.await_(lambda: domain.backend.worker_pid(guest), "another worker", 60)
    stream.await_progress("after the worker was killed", 60)
    domain.backend.kill_broker()
    # What was on its way arrives without them, too.
    env.await_(lambda: domain.backend.worker_pid(guest), "a broker and a worker", 60)
    stream.await_progress("after the broker was killed", 60)
    report = stream.stop()
    env.note("longest_stall_ms", round(report["longest_stall_ms"]))
    guest.shutdown()
    return guest


def use_disk(env, domain):
    guest = env.guest(disks=[domain.disk("8M", "xvda")], frontend="xen-vbd")
    guest.run(fio("xvda"), timeout=60)
    guest.attach(domain.disk("8M", "xvdb"))
    guest.run(fio("xvdb", size="512k"))
    guest.detach("xvdb")
    env.check(len(domain.nodes("vbd", guest)) == 1, f"disks: {domain.nodes('vbd', guest)}")
    guest.shutdown()
    return guest


@case(benches="lab", guests="pv", image="debian", frontend="xen-vnif", slow=True, timeout=240)
def driver_domain(env):
    """The daemon in a driver domain serves interfaces and disks, survives, leaves nothing."""
    domain = DriverDomain(env)
    domain.guest.start(SERVER, timeout=3600)
    for use in use_network, use_disk:
        guest = use(env, domain)
        env.await_(lambda: domain.served() == [], "the daemon to forget the guest")
        check_left(env, domain, guest, [], [])
        env.check(domain.nodes("vbd", guest) == [], f"disks: {domain.nodes('vbd', guest)}")
    domain.guest.shutdown()
