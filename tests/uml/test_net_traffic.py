# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces on our daemon: what is sent arrives, with each offload, size and tag."""

from harness import Nic, case

from uml.netload import alive, exercise, guest_exercise, used

BOTH = {"benches": "uml", "frontend": "xen-vnif xen-netfront", "net": True}
OURS = {"benches": "uml", "frontend": "xen-vnif", "net": True}

# What can be switched and changes what goes over the ring or how it is taken from there.
OFFLOADS = (
    "rx-checksum",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-checksum-ip-generic",
    "tx-scatter-gather",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-generic-segmentation",
    "rx-gro",
    "rx-gro-hw",
    "rx-lro",
)


def switch(guest, interface, names, how):
    """Shell text that switches features of an interface."""
    program = f"{guest.tools / 'offload'} {interface}"
    return " && ".join(f"{program} {name} {how} >/dev/null" for name in names)


SEGMENTATION = ("tx-tcp-segmentation", "tx-tcp6-segmentation", "rx-gro-hw")


def segmentation(env, guest):
    """Packets larger than the MTU cross the ring as one, unless that is switched off."""

    def large():
        counts = {}
        for family in (4, 6):
            before = guest.offload("stats")
            exercise(env, guest, size="64K", families=(family,))
            now = guest.offload("stats")
            for counter in ("tx_gso", "rx_gso"):
                counts[f"{counter} of IPv{family}"] = now[counter] - before[counter]
        return counts

    counts = large()
    env.check(all(counts.values()), f"large packets with {SEGMENTATION}: {counts}")
    interface = guest.interface()
    guest.run(switch(guest, interface, SEGMENTATION, "off"))
    await_settled(env, guest)
    counts = large()
    env.check(not any(counts.values()), f"large packets without {SEGMENTATION}: {counts}")
    guest.run(switch(guest, interface, SEGMENTATION, "on"))
    await_settled(env, guest)


def await_settled(env, guest):
    """Until the features that the frontend asks for are those of its connection."""
    front = f"/local/domain/{guest.domid}/device/vif/0"
    wanted = "1" if guest.offload("show")["rx-gro-hw"]["on"] else "0"

    def settled():
        told = env.store.read(f"{front}/feature-gso-tcpv4") or "0"
        return told == wanted and guest.vif_stat("state") == "Connected"

    env.await_(settled, "a connection with other features", 20)


@case(**BOTH)
def net_offloads(env):
    """TCP and UDP over IPv4 and IPv6, with every offload, without each one, and without any."""
    guest = env.guest(nics=[Nic(env.net.bridge())])
    guest.configure()
    exercise(env, guest)
    if env.frontend == "xen-vnif":
        segmentation(env, guest)
    interface, shown = guest.interface(), guest.offload("show")
    present = [name for name in OFFLOADS if name in shown and not shown[name]["fixed"]]
    env.check(len(present) >= 5, f"only {present} can be switched")
    hosts = f"{guest.host_address()} {guest.host_address(family=6)}"
    transfer = f"{guest.tools / 'traffic'} all {hosts} --bytes 64K >/dev/null"
    for name in present:
        was = ("off", "on")[shown[name]["on"]]
        other = {"on": "off", "off": "on"}[was]
        guest.run(
            f"{switch(guest, interface, [name], other)} && {transfer} && "
            f"{switch(guest, interface, [name], was)}"
        )
    for how in ("off", "on"):
        # Scatter/gather first and last: others depend on it.
        guest.run(f"{switch(guest, interface, present, how)} && {transfer}")
    env.note("offloads", len(present))


@case(**OURS)
def net_guest_to_guest(env):
    """Our driver and the stock one on one bridge: traffic, jumbo frames, a VLAN, multicast."""
    bridge = env.net.bridge(mtu=9000)
    ours, stock = [
        env.guest(nics=[Nic(bridge, options={"mtu": "9000"})], frontend=frontend)
        for frontend in ("xen-vnif", "xen-netfront")
    ]
    for guest in (ours, stock):
        name = guest.interface()
        guest.configure()
        guest.ip(f"link set {name} mtu 9000", f"link add link {name} name tagged type vlan id 7")
        last = env.guests.index(guest) + 1
        guest.ip("link set tagged up", f"addr add 10.78.0.{last}/24 dev tagged")
    exercise(env, ours, payload=8900)
    guest_exercise(env, ours, stock, payload=8900)
    guest_exercise(env, stock, ours, payload=1400)
    guest_exercise(env, ours, stock, hosts=["10.78.0.2"], payload=8900)

    # One frame of each kind that has its own path: the largest, tagged, multicast.
    group = "01:00:5e:7f:00:07"
    for sender, receiver in ((ours, stock), (stock, ours)):
        interface, own = receiver.interface(), receiver.nic_options[0].mac
        count = receiver.start_tool("frames", "count", interface, "--count", 3, "--join", group)
        count.await_line("ready")
        for destination, more in ((own, "--size 9000"), (own, "--vlan 7"), (group, "--size 300")):
            sender.tool("frames", "send", sender.interface(), "--dst", destination, more)
        result = count.wait()
        env.check(result["matched"] == 3 and result["size"]["max"] == 9000, f"{result}")


# Of ten interfaces those whose backend is not trusted: it sees copies, of any size of packet.
UNTRUSTED = (3, 6)


@case(**OURS)
def net_ten_vifs(env):
    """Ten interfaces, each on its own bridge, all of them at once; two have a foreign backend."""
    nics = [
        Nic(env.net.bridge(number), options={"trusted": "0"} if number in UNTRUSTED else {})
        for number in range(10)
    ]
    guest = env.guest(nics=nics)
    guest.configure()
    env.net.serve()
    hosts = [guest.host_address(number, 6 if number % 2 else 4) for number in range(10)]
    guest.traffic("all", *hosts, "--bytes", "32K")
    for number in range(10):
        mac = guest.read(f"/sys/class/net/{guest.interface(number)}/address").strip()
        env.check(mac == guest.nic_options[number].mac, f"interface {number} has {mac}")
        trusted = guest.vif_stat("trusted", number)
        env.check(trusted == (number not in UNTRUSTED), f"interface {number}: trusted {trusted}")
        if not trusted:
            granted = guest.vif_stat("tx_granted_slots", number)
            env.check(granted == 0, f"interface {number} granted {granted} pages of packets")
    exercise(env, guest, UNTRUSTED[0])
    for link in [guest.tap(number) for number in range(10)]:
        env.check(env.net.links()[link]["master"], f"{link} is on no bridge")


def user_changes(env, guest):
    """What ethtool -i, -g, -c, -C, -x and -X show and set of an interface with one queue."""
    directory = f"/sys/class/net/{guest.interface()}"
    info = guest.offload("info")
    env.check((info["driver"], info["bus"], info["link"]) == ("xen-vnif", "vif-0", True), f"{info}")
    rings = guest.offload("rings")
    env.check(rings == {"rx": 256, "tx": 256, "max": {"rx": 256, "tx": 256}}, f"{rings}")

    was = guest.offload("coalesce")
    for usecs in (50, 0):
        guest.offload("coalesce", "rx_usecs", usecs)
        # How long a poll that found something keeps interrupts off, in ns, and whether it does.
        delay = [guest.read(f"{directory}/{name}").strip() for name in
                 ("gro_flush_timeout", "napi_defer_hard_irqs")]  # fmt: skip
        env.check(delay == [str(usecs * 1000), "01"[usecs > 0]], f"{usecs} us: {delay}")
        alive(env, guest)
    guest.offload("coalesce", "tx_frames", 3)
    for name, value in (("tx_frames", 0), ("tx_frames", 129), ("rx_usecs", 10001)):
        refused = guest.offload("coalesce", name, value, check=False)
        env.check(refused is None, f"coalescing: {name} became {value}")
    now = guest.offload("coalesce")
    env.check(now == {**was, "tx_frames": 3}, f"coalescing: {was} became {now}")
    alive(env, guest)
    # There is nothing to spread.
    env.check(len(guest.offload("key")["key"]) == 80, "the hash has no key of 40 bytes")
    env.check(guest.offload("key", "00" * 40, check=False) is None, "a key without a hash")


@case(**OURS)
def net_host_changes(env):
    """MAC, MTU and link change on the host; the guest follows, and traffic goes on."""
    bridge = env.net.bridge(mtu=9000)
    guest = env.guest(nics=[Nic(bridge, options={"mtu": "1500"})])
    guest.configure()
    user_changes(env, guest)
    interface = f"/sys/class/net/{guest.interface()}"
    front = f"/local/domain/{guest.domid}/device/vif/0"

    def follows(name, wanted):
        env.await_(
            lambda: guest.read(f"{interface}/{name}").strip() == wanted, f"{name} {wanted}", 20
        )

    env.store.write(f"{front}/mtu", "9000")
    follows("mtu", "9000")
    env.net.ip(f"link set {guest.tap()} mtu 9000")
    exercise(env, guest, payload=8900, size="64K")
    env.store.write(f"{front}/mac", "00:16:3e:77:77:77")
    follows("address", "00:16:3e:77:77:77")
    env.net.ip("neigh flush all")
    alive(env, guest)
    for nonsense in ("01:00:5e:00:00:01", "00:00:00:00:00:00", "fish"):
        env.store.write(f"{front}/mac", nonsense)
    env.store.write(f"{front}/mtu", "99999999")
    alive(env, guest)
    follows("address", "00:16:3e:77:77:77")
    env.net.ip(f"link set {guest.tap()} down")
    follows("carrier", "0")
    env.net.ip(f"link set {guest.tap()} up")
    follows("carrier", "1")
    alive(env, guest)


@case(**BOTH)
def net_rate(env):
    """A rate in the vif line bounds what the guest sends, and nothing else."""
    guest = env.guest(nics=[Nic(env.net.bridge(), options={"rate": "4Mb/s@20ms"})])
    guest.configure()
    env.net.serve()
    # 500000 bytes/s on the wire; what the bucket held at first is small beside it.
    result = guest.traffic("send", guest.host_address(), "--bytes", 2000000, timeout=120)
    rate = result["bytes"] / result["seconds"]
    env.note("rate", f"{rate / 1000:.0f}kB/s")
    env.check(rate < 550000, f"{rate:.0f} bytes/s where 500000 are allowed")
    env.check(rate > 200000, f"only {rate:.0f} bytes/s where 500000 are allowed")
    back = guest.traffic("receive", guest.host_address(), "--bytes", 2000000, timeout=120)
    env.check(back["intact"], f"{back}")


@case(**OURS)
def net_xdp(env):
    """XDP programs in the driver: drop, pass, back to the sender, out of another interface."""
    guest = env.guest(nics=[Nic(env.net.bridge(0)), Nic(env.net.bridge(1))])
    guest.configure()
    first, second = guest.interface(0), guest.interface(1)
    to = guest.nic_options[0].mac
    before = used(guest)

    def send_until(done, *options):
        """Frames to the first interface; a program may cost a reconnect, which loses some."""
        while not done():
            env.net.tool("frames", "send", "xenbr0", "--dst", to, "--count", 10, *options)

    front = f"/local/domain/{guest.domid}/device/vif/0"

    def no_checksum(wanted):
        """A redirected frame cannot say that it has none, so none may come without."""
        env.await_(lambda: env.store.read(f"{front}/feature-no-csum-offload") == wanted,
                   f"feature-no-csum-offload {wanted}", 20)  # fmt: skip

    def run(action, listen, source="02:77:00:00:00:99"):
        """Frames to the first interface, until enough of them came where @listen is."""
        program = guest.start_tool("xdp", first, action, "--type", "0x88b5")
        program.await_line("ready")
        no_checksum("1")
        count = listen("count", "--count", 50, "--seconds", 30)
        count.await_line("ready")
        send_until(lambda: count.done, "--src", source)
        alive(env, guest)
        count.wait()
        counters = program.stop()
        env.check(counters["packets"] >= 50, f"{action}: the program saw {counters}")
        env.check(counters["passed_by"] > 0, f"{action}: nothing else passed: {counters}")
        no_checksum("0")

    def in_guest(command, *options):
        return guest.start_tool("frames", command, first, *options)

    def on_host(bridge):
        return lambda command, *options: env.net.start("frames", command, bridge, *options)

    run("pass", in_guest)
    run("tx", on_host(guest.tap(0)))
    run(f"redirect={second}", on_host(guest.tap(1)))
    # Too large for one page a packet, and then not any more.
    program = guest.start_tool("xdp", first, "pass", "--type", "0x88b5")
    program.await_line("ready")
    env.store.write(f"{front}/mtu", "9000")
    env.await_(lambda: "9000" in (env.store.read(f"/local/domain/{guest.domid}/error/"
                                                 "device/vif/0/error") or ""),
               "an error that names the MTU", 20)  # fmt: skip
    env.check(guest.read(f"/sys/class/net/{first}/mtu").strip() == "1500", "the MTU was changed")
    program.stop()
    env.await_(lambda: guest.read(f"/sys/class/net/{first}/mtu").strip() == "9000", "the MTU", 20)
    env.store.write(f"{front}/mtu", "1500")
    env.await_(lambda: guest.read(f"/sys/class/net/{first}/mtu").strip() == "1500", "1500", 20)
    # Dropped: none may come.
    program = guest.start_tool("xdp", first, "drop", "--type", "0x88b5")
    program.await_line("ready")
    begun = guest.vif_stat("xdp_drop")
    # The first drop says that the program is in the new connection, too.
    send_until(lambda: guest.vif_stat("xdp_drop") > begun)
    count = guest.start_tool("frames", "count", first, "--seconds", 600)
    count.await_line("ready")
    env.net.tool("frames", "send", "xenbr0", "--dst", to, "--count", 50)
    env.await_(lambda: guest.vif_stat("xdp_drop") >= begun + 51, "50 frames to be dropped")
    program.stop()
    # What comes after the program went is the first that the guest sees.
    send_until(lambda: count.done, "--size", "99")
    result = count.wait()
    env.check(result["size"]["min"] == 99, f"a dropped frame was received: {result}")
    alive(env, guest)
    env.await_(lambda: used(guest) == before, f"event channels and grants to be {before} again")
