# SPDX-License-Identifier: GPL-2.0-or-later
"""xen-vnif and a backend that misbehaves: an error for that device alone, then it goes on."""

from harness import Nic, case

from uml.announce import Listener
from uml.hostile import HOSTILE, await_spoilt, connected, prepare, reconnects, spoil
from uml.netload import alive, exercise, used

# Faults that no honest backend has: the connection is made anew, and this is said of it.
IMPOSSIBLE = (
    ("tx-bad-id", "an answer to packet id 48879, which is not in flight"),
    ("tx-free-id", "which is not in flight"),
    ("tx-same-id", "which is not in flight"),
    ("tx-bad-status", "status 42 for packet id"),
    ("tx-bad-index", "transmit response index"),
    ("tx-mapped", "whose page it still maps"),
    ("rx-bad-id", "a response with a wrong id"),
    ("rx-bad-offset", "data that ends after its page"),
    ("rx-bad-size", "data that ends after its page"),
    ("rx-bad-flags", "a GSO prefix, which it was not offered"),
    ("rx-bad-index", "receive response index"),
    ("rx-long-chain", "a packet with too many slots"),
    ("rx-error-chain", "a packet with too many slots"),
    ("rx-extra-type", "an extra info of unknown type"),
    ("rx-extra-chain", "two extra infos of one type"),
)

# Packets that are lost, as on any wire, or arrive all the same.
HARMLESS = (
    "tx-error",
    "tx-dropped",
    "tx-lost",
    "rx-zero-size",
    "rx-tiny",
    "rx-tiny-chain",
    "rx-zero-chain",
    "rx-error",
    "rx-extra-gso",
    "rx-extra-size",
)


@case(**HOSTILE)
def net_impossible_answers(env):
    """Each kind of answer that cannot be: one clear message, a reconnect, and traffic again."""
    guest = prepare(env, "max_recoveries=32")
    # With the pages that a fault leaves mapped until the reconnect.
    before = used(guest)
    error = f"/local/domain/{guest.domid}/error/device/vif/0/error"
    for fault, message in IMPOSSIBLE:
        number = reconnects(guest)
        spoil(env, guest, fault)
        alive(env, guest)
        await_spoilt(env, guest)
        env.await_(lambda: reconnects(guest) > number, f"a reconnect after {fault}")
        env.await_(lambda: connected(guest), f"a connection after {fault}")
        said = env.store.read(error) or ""
        env.check(message in said, f"{fault}: {message!r} is not in the error node: {said!r}")
        alive(env, guest)
        env.check(reconnects(guest) == number + 1, f"{fault}: more than one reconnect")
    env.check(reconnects(guest, 1) == 0, "the other interface suffered, too")
    exercise(env, guest, size="64K")
    alive(env, guest, 1)
    env.await_(lambda: used(guest) == before, f"event channels and grants to be {before} again")
    env.allow_log("reconnecting|still in use")


def to_guest(env, guest, count):
    """So many frames that nobody answers, all of which arrive."""
    counter = guest.start_tool("frames", "count", guest.interface(), "--count", count)
    counter.await_line("ready")
    mac, bridge = guest.nic_options[0].mac, guest.nic_options[0].bridge
    env.net.tool("frames", "send", bridge, "--dst", mac, "--count", count)
    counter.wait()


def to_host(env, guest, count):
    """The same the other way."""
    bridge = guest.nic_options[0].bridge
    counter = env.net.start("frames", "count", bridge, "--count", count)
    counter.await_line("ready")
    mac = env.net.links()[bridge]["address"]
    guest.tool("frames", "send", guest.interface(), "--dst", mac, "--count", count)
    counter.wait()


def lose_events(env, guest):
    """One event each way, while nothing else brings another: the queue alone is reset."""
    spoil(env, guest, "rx-mute")
    to_guest(env, guest, 3)
    await_spoilt(env, guest)
    # Answers to what is sent are missed only when there is no more room, and when no later event
    # tells of them, too: which of the events is lost is a matter of chance.
    for _ in range(10):
        spoil(env, guest, "tx-mute")
        to_host(env, guest, 600)
        await_spoilt(env, guest)
        if guest.vif_stat("tx_timeouts"):
            break
    env.check(guest.vif_stat("tx_timeouts") > 0, "the stack's watchdog saw nothing, ten times")
    env.check(reconnects(guest) == 0, "a lost event cost the connection")
    env.allow_log("NETDEV WATCHDOG|transmit queue")


def keep_mapped(env, guest):
    """Where the backend is not trusted, the page it is shown, and keeps, is none of a packet."""
    number = guest.attach_nic(Nic(env.net.bridge(2), options={"trusted": "0"}))
    guest.configure(number)
    spoil(env, guest, "tx-mapped", number)
    exercise(env, guest, number, size="64K")
    await_spoilt(env, guest, number=number)
    exercise(env, guest, number, size="64K")
    env.check(reconnects(guest, number) == 0, "it had its packet's own page")
    granted = [guest.vif_stat("tx_granted_slots", n) for n in (0, number)]
    env.check(granted[0] > 0 and granted[1] == 0, f"pages of packets granted: {granted}")


def peek(env, guest):
    """Where the backend is not trusted, it gets empty pages; elsewhere they are as last used."""
    number = guest.attach_nic(Nic(env.net.bridge(3), options={"trusted": "0"}))
    guest.configure(number)
    for vif, empty in ((number, True), (0, False)):
        spoil(env, guest, "rx-peek", vif)
        exercise(env, guest, vif, size="256K")
        node = f"{guest.vif_backend(vif)}/peeked"
        pages, used = (int(env.store.read(name) or 0) for name in (node, f"{node}-used"))
        env.check(pages > 100, f"interface {vif}: only {pages} pages were looked at")
        env.check((used == 0) == empty, f"interface {vif}: {used} of {pages} pages had been used")
        spoil(env, guest, "none", vif)


@case(**HOSTILE)
def net_harmless_answers(env):
    """Errors that the protocol knows, and packets that are none: they are lost, nothing else."""
    guest = prepare(env, "")
    for fault in HARMLESS:
        spoil(env, guest, fault)
        alive(env, guest)
        await_spoilt(env, guest)
        env.check(reconnects(guest) == 0, f"{fault}: the connection was made anew")
    lose_events(env, guest)
    keep_mapped(env, guest)
    peek(env, guest)
    # Parts of packets that take the next one for their rest, if they are not found out.
    for fault in ("rx-cut-chain", "rx-extra-cut", "rx-mute", "tx-mute"):
        spoil(env, guest, fault)
        alive(env, guest)
        await_spoilt(env, guest)
        env.await_(lambda: connected(guest), f"a connection after {fault}")
        alive(env, guest)
    env.allow_log("reconnecting|still in use")


# Datagrams in many pieces, each of which begins where another socket's ended: more than 18 slots.
PIECES = """
import socket
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_SNDBUFFORCE
    s.connect(("{host}", 9))
    return s
for i in range({count}):
    one, other = udp(), udp()
    for piece in range(8):
        one.send(bytes(7500), socket.MSG_MORE)
        other.send(bytes(100), socket.MSG_MORE)
    one.send(b"")
"""


@case(**HOSTILE)
def net_odd_packets_wait(env):
    """Packets to be packed while all pages for that are in flight: they wait, none is dropped."""
    guest = prepare(env, "")
    name, count = guest.interface(), 8
    limit = f"/sys/class/net/{name}/queues/tx-0/byte_queue_limits/limit_min"
    guest.run(f"ip link set {name} mtu 65000 && echo 10000000 > {limit}")
    # The limit is looked at when packets are answered.
    alive(env, guest)

    def sent():
        return guest.vif_stat("tx_packed"), guest.vif_stat("tx_dropped")

    packed, dropped = sent()
    spoil(env, guest, "tx-stall")
    pieces = PIECES.format(host=guest.host_address(), count=count)
    guest.run(f"python3 -c '{pieces}'")
    env.check(0 < sent()[0] - packed < count, f"packed, dropped: {sent()}, before {packed}")
    spoil(env, guest, "none")
    env.await_(lambda: sent() == (packed + count, dropped), f"{count} packets, and none dropped")
    alive(env, guest)
    env.check(reconnects(guest) == 0, "the connection was made anew")


@case(**HOSTILE)
def net_stalls(env):
    """Nothing is answered, nothing received, no state followed: bounded, and it comes back."""
    guest = prepare(env, "outage=3")
    before = used(guest)
    spoil(env, guest, "tx-stall")
    # Fills the ring; the stack's own watchdog then finds it stopped.
    guest.tool(
        "traffic", "blast", guest.host_address(), "--seconds", 1, "--timeout", 1, check=False
    )
    env.await_(lambda: reconnects(guest) > 0, "a reconnect", 60)
    spoil(env, guest, "none")
    env.await_(lambda: connected(guest), "a connection", 60)
    alive(env, guest)
    spoil(env, guest, "rx-stall")
    env.check(
        guest.tool("traffic", "send", guest.host_address(), "--timeout", 1, check=False) is None,
        "data was answered by nobody",
    )
    spoil(env, guest, "none")
    alive(env, guest)
    # A backend that has gone, and answers no state: no link, until it is back.
    spoil(env, guest, "deaf")
    state = f"{guest.vif_backend()}/state"
    env.store.write(state, "5")
    carrier = f"/sys/class/net/{guest.interface()}/carrier"
    env.await_(lambda: guest.read(carrier).strip() == "0", "the link to be lost", 30)
    spoil(env, guest, "none")
    listener = Listener(env)
    env.store.write(state, "6")
    env.await_(lambda: guest.read(carrier).strip() == "1", "the link to be back", 60)
    listener.await_announced(guest, guest.nic_options[0].mac)
    listener.close()
    alive(env, guest)
    alive(env, guest, 1)
    env.await_(lambda: used(guest) == before, f"event channels and grants to be {before} again")
    env.allow_log("NETDEV WATCHDOG|transmit queue|reconnecting|no working backend|still in use")


@case(**HOSTILE)
def net_each_state_of_the_backend(env):
    """Every state a backend can show: traffic goes on, if need be over a new connection."""
    guest = prepare(env, "max_recoveries=32 outage=9")
    state = f"{guest.vif_backend()}/state"
    for value in ("3", "7", "8", "4", "0", "1", "2", "5", "6", "9", "nonsense"):
        before = reconnects(guest)
        spoil(env, guest, "deaf")
        env.store.write(state, value)
        if value in ("3", "4", "7", "8"):
            alive(env, guest)
            env.check(reconnects(guest) == before, f"state {value} broke the connection")
            continue
        env.await_(lambda: reconnects(guest) > before, f"a reconnect for state {value}")
        spoil(env, guest, "none")
        env.store.write(state, "6")
        alive(env, guest)
    env.allow_log("still in use|reconnecting")


@case(**HOSTILE)
def net_too_many_faults(env):
    """A backend that fails again and again is given up; detach works, and so does a new one."""
    guest = prepare(env, "max_recoveries=2 recovery_window=600")
    for number in range(3):
        spoil(env, guest, "rx-bad-size")
        guest.tool("traffic", "pingpong", guest.host_address(), "--count", 1, "--timeout", 2,
                   check=False)  # fmt: skip
        await_spoilt(env, guest)
        if number < 2:
            env.await_(lambda: reconnects(guest) == number + 1, f"reconnect {number + 1}")
            env.await_(lambda: connected(guest), "a connection")
    env.await_(lambda: "3 faults within 600 s, giving up" in guest.dmesg(), "it to be given up")
    alive(env, guest, 1)
    guest.detach_nic(0)
    guest.attach_nic(Nic(env.net.bridge(0)))
    guest.configure(0)
    alive(env, guest)
    env.allow_log("reconnecting|giving up")
