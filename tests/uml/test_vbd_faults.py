# SPDX-License-Identifier: GPL-2.0-or-later
"""xen-vbd and a backend that misbehaves: it reconnects, replays, and loses nothing."""

from harness import case

# One write and one read of 4 MiB, compared.
EXERCISE = (
    "dd if=/tmp/data of=/dev/xvda bs=64k oflag=direct conv=notrunc 2>/dev/null && "
    "dd if=/dev/xvda bs=64k count=64 iflag=direct 2>/dev/null | cmp - /tmp/data"
)
RECONNECTS = "sed -n 's/^reconnects //p' /sys/kernel/debug/xenpv/xvda/stats"


def prepare(env, parameters=""):
    """A guest with a disk on the test backend, and 4 MiB of data to write to it."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvda")], parameters={"xen-vbd": parameters})
    guest.run("mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null; true")
    guest.run("dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null")
    return guest, image


def spoil(env, guest, fault):
    env.store.write(f"{guest.backend_path('xvda')}/fault", fault)


def reconnects(guest):
    return int(guest.run(RECONNECTS).out)


def disturbed(env, guest, fault, message):
    """Exercise the disk with one wrong answer; it is noticed and nothing else happens."""
    before = reconnects(guest)
    spoil(env, guest, fault)
    guest.run(EXERCISE)
    env.await_(lambda: reconnects(guest) == before + 1, f"a reconnect after {fault}")
    log = guest.dmesg()
    env.check(message in log, f"no word of {message!r} after {fault}")
    guest.run(EXERCISE)
    env.check(reconnects(guest) == before + 1, f"{fault}: more than one reconnect")
    error = env.store.read(f"/local/domain/{guest.domid}/error/device/vbd/51712/error")
    env.check(message in error, f"{message!r} is not in the error node")


@case(benches="uml", backend="testback", kernels="plain debug")
def vbd_wrong_answers(env):
    """Each kind of impossible answer: one clear message, reconnect, replay, data intact."""
    guest, image = prepare(env, "max_recoveries=32 io_timeout=2")
    for fault, message in (
        ("bad-id", "response with unknown id 0xdeadbeef"),
        ("free-id", "which is not in flight"),
        ("same-id", "which is not in flight"),
        ("bad-op", "with operation"),
        ("bad-status", "with unknown status 7"),
        ("bad-index", "response index"),
        ("mapped", "still maps pages of the request"),
        ("lost", "after a reminder"),
    ):
        disturbed(env, guest, fault, message)
    env.allow_log("reconnecting|no answer to operation|still in use")
    head = env.host.run(f"head -c 4194304 {image.path} | sha256sum").out.split()[0]
    ours = guest.run("sha256sum </tmp/data").out.split()[0]
    env.check(head == ours, "the image does not hold what was written")


@case(benches="uml", backend="testback")
def vbd_lost_event(env):
    """An event that never comes: the ring is looked at after io_timeout, without a reconnect."""
    guest, _ = prepare(env, "io_timeout=1")
    spoil(env, guest, "mute")
    guest.run(EXERCISE)
    env.check(reconnects(guest) == 0, "the connection was made anew for a lost event")
    env.check("no answer to operation" in guest.dmesg(), "nothing was lost")
    env.allow_log("no answer to operation")


@case(benches="uml", backend="testback")
def vbd_io_error(env):
    """A failed request fails alone, and is an I/O error to whoever asked."""
    guest, _ = prepare(env)
    spoil(env, guest, "error")
    done = guest.run("dd if=/dev/zero of=/dev/xvda bs=4k count=1 oflag=direct", check=False)
    env.check(done.rc != 0, "the write was reported done")
    env.allow_log("I/O error, dev xvda")
    guest.run(EXERCISE)
    env.check(reconnects(guest) == 0, "an I/O error is no protocol error")


@case(benches="uml", backend="testback")
def vbd_flush_refused(env):
    """A flush the backend offered and does not know: switched off, and I/O goes on."""
    guest, _ = prepare(env)
    mode = "/sys/block/xvda/queue/write_cache"
    env.check(guest.read(mode).strip() == "write back", "the flush feature is not used")
    spoil(env, guest, "unsupported")
    guest.run("dd if=/tmp/data of=/dev/xvda bs=64k count=4 conv=fsync 2>/dev/null")
    env.await_(lambda: guest.read(mode).strip() == "write through", "the flush to be switched off")
    env.check("does not support flush after all" in guest.dmesg(), "it was not said")
    guest.run(EXERCISE)


@case(benches="uml", backend="testback")
def vbd_too_many_faults(env):
    """A backend that fails again and again: I/O fails, nothing hangs, and detach works."""
    guest, image = prepare(env, "max_recoveries=2 recovery_window=600")
    for _ in range(2):
        disturbed(env, guest, "bad-id", "unknown id 0xdeadbeef")
    spoil(env, guest, "bad-id")
    done = guest.run(EXERCISE, check=False)
    env.check(done.rc != 0, "I/O still works after too many faults")
    env.check("3 faults within 600 s, giving up" in guest.dmesg(), "it was not said")
    env.allow_log("reconnecting|giving up|I/O error, dev xvda|error on dev xvda")
    guest.detach("xvda")
    guest.attach(image.disk("xvda"))
    guest.run(EXERCISE)


@case(benches="uml", backend="testback")
def vbd_backend_without_ears(env):
    """A backend that does not follow: I/O fails after the outage, and works when it is back."""
    guest, _ = prepare(env, "outage=2 close_wait_ms=200")
    spoil(env, guest, "deaf")
    # A restart, as the backend's node tells it.
    env.store.write(f"{guest.backend_path('xvda')}/state", "5")
    done = guest.run(EXERCISE, check=False)
    env.check(done.rc != 0, "I/O was done by nobody")
    env.check("no working backend" in guest.dmesg(), "it was not said")
    env.allow_log("no working backend|I/O error, dev xvda|error on dev xvda|still in use")
    spoil(env, guest, "none")
    env.store.write(f"{guest.backend_path('xvda')}/state", "6")
    env.await_(lambda: guest.run(EXERCISE, check=False).rc == 0, "I/O to work again", timeout=20)


@case(benches="uml", backend="testback", timeout=120)
def vbd_each_state_of_the_backend(env):
    """Every state a backend can show, in the middle of I/O: it goes on, if need be anew."""
    guest, _ = prepare(env, "max_recoveries=32 close_wait_ms=200 outage=9")
    state = f"{guest.backend_path('xvda')}/state"
    for value in ("3", "7", "8", "4", "0", "1", "2", "5", "6", "9", "nonsense"):
        before = reconnects(guest)
        spoil(env, guest, "deaf")
        env.store.write(state, value)
        if value in ("3", "4", "7", "8"):
            guest.run(EXERCISE)
            env.check(reconnects(guest) == before, f"state {value} broke the connection")
            continue
        env.await_(lambda: reconnects(guest) > before, f"a reconnect for state {value}")
        # While it is deaf: what it has reached by itself would be undone by that later.
        env.store.write(state, "6")
        spoil(env, guest, "none")
        guest.run(EXERCISE)
    env.allow_log("still in use")


@case(benches="uml", backend="testback")
def vbd_backend_restart(env):
    """The backend closes and opens while its device stays online: I/O waits, none fails."""
    guest, _ = prepare(env)
    work = guest.start(f"for i in 1 2 3 4 5 6 7 8; do {EXERCISE} || exit 1; done")
    for number in range(5):
        before = reconnects(guest)
        env.store.write(f"{guest.backend_path('xvda')}/state", "5")
        env.await_(lambda: reconnects(guest) == before + 1, f"reconnect {number}")
        env.await_(
            lambda: "Connected" in guest.run("head -n1 /sys/kernel/debug/xenpv/xvda/stats").out,
            "the new connection",
        )
    env.check(work.wait(env.scaled(60)).rc == 0, "I/O failed during a restart")
    guest.run(EXERCISE)


@case(benches="uml", backend="testback")
def vbd_media_changes(env):
    """Size, mode and features are read again when the backend says Connected once more."""
    guest, _ = prepare(env)
    back = guest.backend_path("xvda")
    queue = "/sys/block/xvda/queue"

    def poke(**nodes):
        for name, value in nodes.items():
            env.store.write(f"{back}/{name.replace('_', '-')}", value)
        env.store.write(f"{back}/state", "4")

    poke(sectors=8192)
    env.await_(lambda: guest.sectors("xvda") == 8192, "the smaller size")
    poke(sectors=16384, info=4)
    env.await_(lambda: guest.sectors("xvda") == 16384, "the larger size")
    env.check(guest.read("/sys/block/xvda/ro").strip() == "1", "the disk is not read-only")
    poke(info=0, feature_discard=1, discard_granularity=4096)
    env.await_(lambda: guest.read("/sys/block/xvda/ro").strip() == "0", "the disk to be writable")
    env.check(guest.read(f"{queue}/discard_granularity").strip() == "4096", "no discard")
    poke(feature_discard=0)
    env.await_(lambda: guest.read(f"{queue}/discard_max_bytes").strip() == "0", "discard to go")
    poke(sectors="nonsense")
    env.await_(lambda: "sectors is not a number" in guest.dmesg(), "a word about the size")
    env.check(guest.sectors("xvda") == 16384, "the size followed nonsense")
    env.allow_log("is not a number")
    poke(sectors=16384, sector_size=4096)
    env.await_(lambda: "ignoring a change of sector-size" in guest.dmesg(), "a word on sectors")
    guest.run(EXERCISE)
