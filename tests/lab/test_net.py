# SPDX-License-Identifier: GPL-2.0-or-later
"""The network on real Xen: traffic, changes under traffic, failures that guests survive."""

from harness import case, traffic

SERVER = "/lab/bin/traffic serve --seconds 3600"


def connected(env, **options):
    """A guest on a bridge with dom0, where a server runs: (network, guest, interface)."""
    network = env.network()
    env.host.start(SERVER, timeout=3600)
    guest = env.guest(nics=[network.nic()], **options)
    interface, _ = network.join(guest)
    return network, guest, interface


def driver_of(guest, handle=0):
    link = f"/sys/bus/xen/devices/vif-{handle}/driver"
    return guest.run(f"basename $(readlink {link})").out.strip()


def use(env):
    """Data both ways, a second interface for a while: what every pairing must do."""
    network, guest, interface = connected(env)
    expected = {"xen-vnif": "xen-vnif", "xen-netfront": "vif"}[env.frontend]
    env.check(driver_of(guest) == expected, f"{interface} is driven by {driver_of(guest)}")
    traffic.compare(guest, network.addresses(1))
    handle = guest.attach_nic(network.nic())
    network.join(guest, handle)
    guest.detach_nic(handle)
    traffic.compare(guest, network.addresses(1)[:1], size="64K")
    guest.shutdown()


@case(benches="lab", frontend="xen-vnif", timeout=180)
def network_on_daemon(env):
    """xen-vnif on xenpv-backendd: TCP and UDP, IPv4 and IPv6."""
    use(env)


@case(benches="lab", frontend="xen-netfront", timeout=180)
def stock_network_on_daemon(env):
    """The kernel's frontend on xenpv-backendd."""
    use(env)


@case(benches="lab", frontend="xen-vnif", backend="netback", timeout=180)
def xen_vnif_on_netback(env):
    """xen-vnif on the kernel's backend."""
    use(env)


@case(benches="lab", frontend="xen-netfront", backend="netback", slow=True, timeout=180)
def stock_network(env):
    """The kernel's two ends: what fails here is the lab's fault."""
    use(env)


def survive(env):
    """Kill worker and broker three times under a TCP stream, and restart the daemon."""
    network, guest, _ = connected(env)
    stream = traffic.Stream(env, guest, network.addresses(1)[0])
    stream.await_progress("at the beginning")
    for number in range(3):
        # A broker that is just being started again tells nothing yet.
        env.await_(lambda: env.backend.worker_pid(guest), "a broker and a worker", 30)
        env.backend.kill_worker(guest)
        stream.await_progress(f"after worker {number + 1} was killed", 60)
        env.backend.kill_broker()
        stream.await_progress(f"after broker {number + 1} was killed", 60)
    env.backend.restart()
    stream.await_progress("after the restart of the daemon", 60)
    report = stream.stop()
    env.note("longest_stall_ms", round(report["longest_stall_ms"]))


@case(benches="lab", frontend="xen-vnif", timeout=240)
def stream_survives_the_backend(env):
    """Worker and broker are killed three times under a TCP stream, and a restart: it goes on."""
    survive(env)


@case(benches="lab", guests="pv", more_guests="pvh", frontend="xen-netfront", timeout=240)
def stock_stream_survives_the_backend(env):
    """The same with the kernel's frontend."""
    survive(env)


@case(benches="lab", frontend="xen-vnif", timeout=240)
def stream_survives_save_and_restore(env):
    """A TCP stream over a save and a restore of the guest."""
    network, guest, _ = connected(env)
    stream = traffic.Stream(env, guest, network.addresses(1)[0])
    stream.await_progress("at the beginning")
    guest.save_restore()
    stream.await_progress("after the restore", 60)
    stream.stop()
    traffic.compare(guest, network.addresses(1), size="64K")


@case(benches="lab", guests="pvh", more_guests="pv", frontend="xen-vnif", timeout=240)
def queues_of_an_interface(env):
    """Two queues that carry traffic, then one, then two, then three; a hash spreads it."""
    # By default no more queues are offered than dom0 has processors, which is one here.
    env.backend.configure("[backend]\nmax-queues = 3\n")
    network, guest, interface = connected(env, vcpus=3)
    server = network.addresses(1)
    for queues in (2, 1, 2):
        if queues_now(guest, interface) != queues:
            guest.run(f"offload {interface} channels {queues}")
            env.await_(
                lambda queues=queues: queues_now(guest, interface) == queues,
                f"{queues} queues on {interface}",
                20,
            )
        jobs = [f"taskset {1 << cpu} traffic all {server[cpu]} --bytes 256K" for cpu in (0, 1)]
        guest.run(f"{jobs[0]} >/tmp/0 & {jobs[1]} && wait $!", timeout=60)
        keep_spread(env, guest, interface)
    packets = by_queue(guest, interface, "tx_packets")
    env.check(all(count > 50 for count in packets), f"packets sent by the queues: {packets}")
    table = shown(guest, interface, "indir")["indir"]
    env.check(set(table) == {0, 1}, f"the table of the hash: {table}")
    # A hash that is always 0, and a table that has one queue only.
    for change, back in (("key " + "00" * 40, f"key {shown(guest, interface, 'key')['key']}"),
                         ("indir equal 1", "indir equal 2")):  # fmt: skip
        shown(guest, interface, change)
        before = by_queue(guest, interface, "rx_bytes")
        guest.run(f"traffic receive {server[0]} --bytes 256K", timeout=60)
        got = [now - then for now, then in zip(by_queue(guest, interface, "rx_bytes"), before)]
        env.check(got[0] > 256 << 10 and got[1] < 16 << 10, f"{change[:20]}: received {got}")
        shown(guest, interface, back)
    # Without a table of the user's, a new queue gets its share.
    shown(guest, interface, "indir equal default")
    guest.run(f"offload {interface} channels 3")
    env.await_(lambda: queues_now(guest, interface) == 3, f"three queues on {interface}", 20)
    env.await_(lambda: set(shown(guest, interface, "indir")["indir"]) == {0, 1, 2},
               "a table that has all three queues", 20)  # fmt: skip


def shown(guest, interface, words):
    return traffic.result(guest.run(f"offload {interface} {words}").out)


def by_queue(guest, interface, counter):
    """What each of two queues has counted."""
    stats = shown(guest, interface, "stats")
    return [stats[f"q{queue}_{counter}"] for queue in (0, 1)]


def keep_spread(env, guest, interface):
    """The CPUs that send on a queue, as the user says, over another connection."""
    node = f"/sys/class/net/{interface}/queues/tx-0/xps_cpus"
    if queues_now(guest, interface) == 1:
        return
    env.check(int(guest.run(f"cat {node}").out, 16) == 1, "queue 0 is not the first CPU's at first")
    connections = f"dmesg | grep -c '{interface}: connected to domain'"
    before = int(guest.run(connections).out)
    guest.run(f"echo 3 >{node} && offload {interface} rx-checksum off")
    env.await_(lambda: int(guest.run(connections).out) > before, "another connection", 20)
    kept = guest.run(f"cat {node}").out
    env.check(int(kept, 16) == 3, f"the CPUs of queue 0 became {kept.strip()}")
    guest.run(f"offload {interface} rx-checksum on")
    env.await_(lambda: int(guest.run(connections).out) > before + 1, "another connection", 20)


def queues_now(guest, interface):
    return shown(guest, interface, "channels")["combined"]
