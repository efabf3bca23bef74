# SPDX-License-Identifier: GPL-2.0-or-later
"""All that an interface can do, on real Xen, in one boot of a guest."""

import time

from harness import case, traffic

NUMBER = 10
# Of interface 1, bytes a second. The daemon lets 128 KiB pass at once, a second of it, so that
# a machine that stands still for a moment loses nothing.
RATE = 128000
FRAME_TYPE = "0x88b5"
GROUP, OTHER_GROUP = "01:00:5e:7f:00:07", "01:00:5e:7f:00:08"
USERS_MAC, HOSTS_MAC = "02:00:00:10:00:01", "00:16:3e:77:00:02"
# Who sends frames that XDP turns round: nobody, so that the bridge sends them nowhere.
NOBODY = "02:77:00:00:00:99"


class Subject:
    """A guest with its ten interfaces, each on a bridge of its own with dom0."""

    def __init__(self, env):
        self.env = env
        self.host = env.host
        self.networks = [env.network(f"xenbr{number}") for number in range(NUMBER)]
        env.host.start("/lab/bin/traffic serve --seconds 3600", timeout=3600)
        nics = [network.nic() for network in self.networks]
        nics[1] = self.networks[1].nic(rate=f"{RATE // 1000}KB/s")
        self.guest = env.guest(nics=nics)
        joined = [network.join(self.guest, n) for n, network in enumerate(self.networks)]
        self.interfaces = [interface for interface, _ in joined]
        self.addresses = [addresses for _, addresses in joined]

    def tap(self, number=0):
        return f"vif{self.guest.domid}.{number}"

    def read(self, name):
        """A file of the first interface in sysfs."""
        return self.guest.run(f"cat /sys/class/net/{self.interfaces[0]}/{name}").out.strip()

    def tell(self, name, value):
        """What the host says of the first interface; until the guest has it."""
        self.host.xs_write(f"/local/domain/{self.guest.domid}/device/vif/0/{name}", value)
        shown = {"mac": "address"}.get(name, name)
        self.env.await_(lambda: self.read(shown) == value, f"{name} {value} in the guest", 20)

    def alive(self, size="64K"):
        """Data over the first interface, over IPv4."""
        traffic.compare(self.guest, self.networks[0].addresses(1)[:1], size=size)

    def count(self, where, words):
        """Begin to count frames, in dom0 or in the guest."""
        program = "/lab/bin/frames" if where is self.host else "frames"
        job = where.start(f"{program} count {words}")
        self.env.await_(lambda: b"ready" in job.output, "frames to be counted", 20)
        return job

    def send(self, words):
        """Frames from dom0 to the first interface's bridge."""
        name = self.networks[0].name
        self.host.run(f"/lab/bin/frames send {name} --src {NOBODY} {words}")

    def send_until(self, done, words):
        """The same again and again: at first some may get lost."""
        end = time.monotonic() + 60 * self.host.scale
        while not done():
            self.env.check(time.monotonic() < end, f"no end of frames {words}")
            self.send(words)


def ten_interfaces(it):
    """Each of them carries data, IPv4 and IPv6 in turn."""
    traffic.compare(
        it.guest,
        [network.addresses(1)[number % 2] for number, network in enumerate(it.networks)],
        size="16K",
    )
    counts = it.guest.run(
        f"cd /sys/class/net && cat {' '.join(f'{i}/statistics/rx_bytes' for i in it.interfaces)}"
    ).out.split()
    it.env.check(all(int(count) > 16384 for count in counts), f"bytes received: {counts}")


def rate(it):
    """What the second one sends keeps to the limit within a tenth, after the first burst."""

    def sample():
        # By dom0's clock, whose time it is that the limit is about.
        done = it.host.run(f"cat /sys/class/net/{it.tap(1)}/statistics/rx_bytes /proc/uptime")
        sent, uptime = done.out.split()[:2]
        return int(sent), float(uptime)

    first = sample()[0]
    server = it.networks[1].addresses(1)[0]
    blast = it.guest.start(f"traffic blast {server} --size 1000 --seconds 600")
    it.env.await_(lambda: sample()[0] > first + 3 * RATE, "the first burst to be over", 30)
    begun = sample()
    it.env.await_(lambda: sample()[1] > begun[1] + 8, "eight seconds to pass", 60)
    ended = sample()
    blast.kill()
    measured = (ended[0] - begun[0]) / (ended[1] - begun[1])
    it.env.note("rate_kB_per_s", round(measured / 1000))
    it.env.check(
        0.9 * RATE <= measured <= 1.1 * RATE, f"{measured:.0f} bytes/s where {RATE} are allowed"
    )


def another_bridge(it):
    """To another bridge and back under a TCP stream, which goes on: by command, by hand."""
    host, old = it.host, it.networks[0].name
    mine, new = it.addresses[0][0], "xenbr20"
    # dom0 is on both with the same addresses; a route says where the guest is.
    mac = host.run(f"cat /sys/class/net/{old}/address").out.strip()
    host.run(f"ip link add {new} address {mac} type bridge && ip link set {new} up")
    stream = traffic.Stream(it.env, it.guest, it.networks[0].addresses(1)[0])
    stream.await_progress("at the beginning")
    ways = (f"xenpv bridge move {it.tap()} {{}}", f"ip link set {it.tap()} master {{}}")
    for way in ways:
        for left, bridge in ((old, new), (new, old)):
            received = f"cat /sys/class/net/{left}/statistics/rx_packets"
            move = f"{way.format(bridge)} && ip route replace {mine} dev {bridge}"
            before = host.run(f"{move} && {received}").out
            stream.await_progress(f"on {bridge}", 60)
            after = host.run(received).out
            it.env.check(before == after, f"{left} received {after} packets, {before} before")
    report = stream.stop()
    it.env.note("longest_stall_ms", round(report["longest_stall_ms"]))
    host.run(f"ip route del {mine} && ip link del {new}")


def multicast(it):
    """A group that was joined is received, another is not."""
    job = it.count(it.guest, f"{it.interfaces[0]} --join {GROUP} --count 3 --seconds 240")
    it.send(f"--dst {OTHER_GROUP} --size 200 --count 3")
    it.send_until(lambda: job.done, f"--dst {GROUP} --size 300 --count 3")
    counted = traffic.result(job.wait().out)
    it.env.check(counted["size"]["min"] == 300, f"a group nobody joined was received: {counted}")


def addresses(it):
    """The guest changes its MAC address, then the host does."""
    guest, interface = it.guest, it.interfaces[0]
    guest.run(
        f"ip link set {interface} down && ip link set {interface} address {USERS_MAC} && "
        f"ip link set {interface} up"
    )
    for mac in (USERS_MAC, HOSTS_MAC):
        if mac == HOSTS_MAC:
            it.tell("mac", mac)
        it.host.run("ip neigh flush all")
        it.alive()
        neighbour = it.host.run(f"ip neigh show {it.addresses[0][0]}").out
        it.env.check(mac in neighbour, f"dom0 knows the guest as {neighbour.strip()}, not {mac}")


def large_packets(it):
    """The host changes the MTU; packets of 9000 bytes."""
    network = it.networks[0]
    it.host.run(f"ip link set {it.tap()} mtu 9000 && ip link set {network.name} mtu 9000")
    it.tell("mtu", "9000")
    it.guest.run(f"ping -c 2 -s 8900 -W 10 {network.addresses(1)[0]}", timeout=60)
    it.alive("256K")


def vlan(it):
    """A VLAN of the guest, with dom0 on the same VLAN of the bridge."""
    name, interface = it.networks[0].name, it.interfaces[0]
    it.host.run(
        f"modprobe 8021q && ip link add link {name} name {name}.7 type vlan id 7 "
        f"&& ip addr add 10.77.0.1/24 dev {name}.7 && ip link set {name}.7 up"
    )
    it.guest.run(
        f"modprobe 8021q && vconfig add {interface} 7 && "
        f"ip addr add 10.77.0.2/24 dev {interface}.7 && ip link set {interface}.7 up"
    )
    traffic.compare(it.guest, ["10.77.0.1"], size="64K")
    it.guest.run(f"vconfig rem {interface}.7")


def offloads(it):
    """TCP and UDP over IPv4 and IPv6, with every offload off, then on."""
    features = "rx tx sg tso".split()
    commands = {
        state: [f"offload {it.interfaces[0]} {feature} {state}" for feature in order]
        for state, order in (("off", features[::-1]), ("on", features))
    }
    # IPv6 addresses went when the interface was down.
    mine = it.addresses[0][1]
    it.guest.run(f"ip addr add {mine}/64 dev {it.interfaces[0]}", check=False)
    for state in ("off", "on"):
        it.guest.run(" && ".join(commands[state]))
        traffic.compare(it.guest, it.networks[0].addresses(1), size="64K")


def xdp(it):
    """Frames of one type are dropped, sent back, sent out of another interface."""
    first = it.interfaces[0]
    to = f"--dst {it.read('address')} --count 10"

    def program(action):
        job = traffic.Job(it.guest, f"xdp {first} {action} --type {FRAME_TYPE} --seconds 600")
        it.env.await_(lambda: "ready" in job.output(), f"XDP {action} to be there", 20)
        return job

    for action, number in (("tx", 0), (f"redirect={it.interfaces[2]}", 2)):
        running = program(action)
        job = it.count(it.host, f"{it.tap(number)} --count 10 --seconds 240")
        it.send_until(lambda job=job: job.done, to)
        it.env.check(job.wait().rc == 0, f"XDP {action}: frames were changed or too few")
        it.alive()
        counted = running.stop()
        it.env.check(counted["packets"] >= 10, f"XDP {action} has seen: {counted}")
        it.env.check(counted["passed_by"] > 0, f"XDP {action}: nothing else passed: {counted}")

    def dropped():
        stats = traffic.result(it.guest.run(f"offload {first} stats").out)
        return stats["q0_xdp_drop"]

    running = program("drop")
    job = it.count(it.guest, f"{first} --count 1 --seconds 240")
    begun = dropped()
    it.send_until(lambda: dropped() >= begun + 20, to)
    running.stop()
    it.send_until(lambda: job.done, f"{to} --size 99")
    counted = traffic.result(job.wait().out)
    it.env.check(counted["size"]["min"] == 99, f"a dropped frame was received: {counted}")
    it.alive()


def come_and_go(it):
    """Five times an interface is attached and detached under traffic; no grant is lost."""
    guest, other = it.guest, it.networks[-1]
    guest.detach_nic(NUMBER - 1)
    grants = guest.grants()
    for _ in range(5):
        handle = guest.attach_nic(other.nic())
        interface, _ = other.join(guest, handle)
        # It fails when the interface goes, and that is the point.
        blast = guest.start(f"traffic blast {other.addresses(1)[0]} --seconds 60 || true")
        packets = f"cat /sys/class/net/{interface}/statistics/tx_packets"
        it.env.await_(
            lambda packets=packets: int(guest.run(packets).out) > 50, f"packets on {interface}", 20
        )
        guest.detach_nic(handle)
        blast.kill()
    it.env.check(guest.grants() <= grants, f"{guest.grants()} grants in use, {grants} before")
    it.alive()


PARTS = (
    ten_interfaces,
    rate,
    another_bridge,
    multicast,
    addresses,
    xdp,  # before the packets get too large for it
    large_packets,
    vlan,
    offloads,
    come_and_go,
)


@case(benches="lab", frontend="xen-vnif", timeout=300)
def every_feature_of_an_interface(env):
    """Ten interfaces, rate, bridges, multicast, MAC, MTU, VLAN, offloads, XDP, attach, detach."""
    it = Subject(env)
    seconds = {}
    for part in PARTS:
        begun = time.monotonic()
        part(it)
        seconds[part.__name__] = f"{time.monotonic() - begun:.1f}"
    env.note("seconds", "+".join(f"{name} {value}" for name, value in seconds.items()))
    it.guest.shutdown()
