# SPDX-License-Identifier: GPL-2.0-or-later
"""The balloon on the shim, which takes pages for real: touching one stops the guest."""

import random

from harness import case

MB = 1024  # KiB
PARAMETERS = "/sys/module/xenshim/parameters"
STATS = "/sys/kernel/debug/xenpv/balloon/stats"
SYSFS = "/sys/devices/system/xen_memory/xen_memory0"

ENGINE = {"benches": "uml", "frontend": "none", "backend": "none"}


class Memory:
    """The memory of a guest, from both sides."""

    def __init__(self, env, size=256, target=None, **shim):
        self.env = env
        self.max = size * MB
        self.guest = env.guest(memory=size)
        self.host_says(**shim)
        self.order("static-max", self.max)
        self.order("target", (target or size) * MB)

    def load(self, driver="xen-balloon", parameters="mode=engine", settle=True):
        self.guest.load(driver, {"xen-balloon": parameters})
        if settle:
            self.await_state("idle")

    def path(self, node):
        return f"/local/domain/{self.guest.domid}/{node}"

    def order(self, node, value):
        self.env.store.write(self.path(f"memory/{node}"), value)

    def says(self, node):
        """What the guest tells the host."""
        return self.env.store.read(self.path(f"data/xenpv/balloon/{node}"))

    def told(self, **nodes):
        return all(self.says(node) == str(value) for node, value in nodes.items())

    def host_says(self, **parameters):
        """Change what Xen does."""
        for name, value in parameters.items():
            self.guest.run(f"echo {value} >{PARAMETERS}/{name}")

    def host(self, name):
        return int(self.guest.read(f"{PARAMETERS}/{name}"))

    def stats(self):
        return dict(line.split() for line in self.guest.read(STATS).splitlines())

    def stat(self, name):
        return int(self.stats()[name])

    def ram(self):
        """KiB that Xen has behind the guest's frames."""
        return self.host("mem_pages") * 4

    def total(self):
        return int(self.guest.read("/proc/meminfo").split()[1])

    def await_state(self, state, timeout=30):
        self.env.await_(lambda: self.says("state") == state, f"state {state}", timeout)

    def target(self, megabytes, reached=None, timeout=60):
        """Give an order and wait until it, or what becomes of it, is reached."""
        kib = megabytes * MB
        reached = kib if reached is None else reached * MB
        self.order("target", kib)
        self.env.await_(
            lambda: self.told(target=kib, goal=reached, state="idle"),
            f"{megabytes} MiB, now {self.says('state')} at {self.says('current')}",
            timeout,
        )

    def exercise(self, megabytes=40):
        """Use memory: what is free is really there, and what is written stays."""
        self.guest.run(
            f"dd if=/dev/urandom of=/tmp/a bs=1M count={megabytes} 2>/dev/null && "
            "cp /tmp/a /tmp/b && cmp /tmp/a /tmp/b; rc=$?; rm -f /tmp/a /tmp/b; exit $rc"
        )


@case(**ENGINE)
def balloon_engine(env):
    """Down and up again, in blocks of 2 MiB and by few hypercalls; the books agree with Xen's."""
    memory = Memory(env)
    memory.load()
    before = memory.total()
    env.check(memory.told(mode="engine", ballooned=0, error=""), "it does not begin at rest")
    for size in (160, 256, 161):
        memory.target(size)
        env.check(memory.ram() == size * MB, f"{memory.ram()} KiB are there at {size} MiB")
        env.check(
            memory.says("current") == str(size * MB + 64),
            f"{memory.says('current')} KiB reported at {size} MiB",
        )
        # Of 105 MiB that the kernel has left: with less room it would be given memory back.
        memory.exercise(20)
    stats = memory.stats()
    env.note("decrease_calls", stats["decrease_hypercalls"])
    env.note("populate_calls", stats["populate_hypercalls"])
    # 96 MiB down, up, and 95 MiB down: 48, 48 and 47 blocks.
    env.check(int(stats["blocks_out"]) >= 80, f"{stats['blocks_out']} blocks went out")
    env.check(int(stats["blocks_in"]) >= 40, f"{stats['blocks_in']} blocks came back")
    env.check(memory.total() == before - 95 * MB, f"MemTotal is {memory.total()} of {before}")
    # One page, and a target that is no whole number of pages.
    memory.order("target", 161 * MB - 4)
    env.await_(lambda: memory.ram() == 161 * MB - 4, "one page less")
    memory.order("target", 161 * MB + 3)
    env.await_(lambda: memory.ram() == 161 * MB, "one page more")
    memory.target(256)
    env.check(memory.total() == before, f"MemTotal is {memory.total()}, was {before}")
    env.check(memory.told(ballooned=0, superpages=0), "something is left in the balloon")
    env.check(memory.stat("pages_drift") == 0, "Xen's figure did not agree with ours")


@case(**ENGINE, kernels="plain")
def balloon_hypercalls(env):
    """The same way with the kernel's own balloon takes twenty times the hypercalls."""
    counts = {}
    for driver in ("builtin-balloon", "xen-balloon"):
        memory = Memory(env)
        memory.guest.load(driver, {"xen-balloon": "mode=engine"})
        down = memory.host("mem_decreases")
        up = memory.host("mem_populates")
        for size in (128, 256):
            memory.order("target", size * MB)
            env.await_(lambda m=memory, s=size: m.ram() == s * MB, f"{size} MiB by {driver}")
        counts[driver] = (
            memory.host("mem_decreases") - down,
            memory.host("mem_populates") - up,
        )
        memory.guest.destroy()
    theirs, ours = counts["builtin-balloon"], counts["xen-balloon"]
    env.note("down", f"{theirs[0]}/{ours[0]}")
    env.note("up", f"{theirs[1]}/{ours[1]}")
    env.check(theirs[0] >= 3.5 * ours[0], f"down: {ours[0]} hypercalls, builtin {theirs[0]}")
    env.check(theirs[1] >= 20 * ours[1], f"up: {ours[1]} hypercalls, builtin {theirs[1]}")


@case(**ENGINE, slow=True)
def balloon_half_done_hypercalls(env):
    """Hypercalls that end early, in the middle of an extent too: no page is lost or used twice."""
    memory = Memory(env)
    memory.load()
    choice = random.Random(7)
    for _ in range(8):
        memory.host_says(
            mem_partial=choice.choice((0, 3, 11, 60)),
            mem_loose=choice.choice((0, 1, 100, 511)),
            mem_no_large=choice.choice(("N", "N", "Y")),
        )
        size = choice.randrange(150, 257)
        memory.target(size, timeout=120)
        env.check(memory.ram() == size * MB, f"{memory.ram()} KiB are there at {size} MiB")
        memory.exercise(16)
    stats = memory.stats()
    env.check(int(stats["partial_hypercalls"]) > 3, "no hypercall ended early")
    env.check(stats["pages_lost"] == "0", f"{stats['pages_lost']} pages are lost")
    memory.host_says(mem_partial=0, mem_no_large="N")
    memory.target(256)
    memory.exercise()
    env.check(memory.stat("singles_parked") == 0, "single pages are left in the balloon")


@case(**ENGINE)
def balloon_refused(env):
    """While Xen refuses, it says so, waits longer each time, and gets there when Xen relents."""
    memory = Memory(env)
    memory.load()
    memory.target(160)
    memory.host_says(mem_refuse="Y")
    memory.order("target", 256 * MB)
    env.await_(lambda: (memory.says("error") or "").startswith("Xen refused"), "a reason")
    env.check(memory.says("state") == "waiting", f"the state is {memory.says('state')}")
    env.await_(lambda: int(memory.guest.read(f"{SYSFS}/retry_count")) >= 3, "three attempts")
    env.check(int(memory.guest.read(f"{SYSFS}/schedule_delay")) >= 4, "it does not wait longer")
    # A new order is tried at once, whatever the wait has become.
    memory.host_says(mem_refuse="N")
    memory.target(200, timeout=10)
    # The limit of xl mem-max is inside of a block.
    memory.host_says(mem_max=210 * 256 + 100 + 16)
    memory.order("target", 256 * MB)
    env.await_(lambda: memory.ram() == 210 * MB + 400, "all that mem-max allows")
    env.await_(lambda: memory.says("state") == "waiting", "the wait")
    memory.host_says(mem_max=256 * 256 + 16)
    env.await_(lambda: memory.told(state="idle", goal=256 * MB), "the rest, without an order", 60)
    memory.exercise()


@case(**ENGINE, slow=True)
def balloon_limits(env):
    """Orders that cannot be obeyed are answered with a reason, and the nearest thing is done."""
    memory = Memory(env)
    memory.load(parameters="mode=engine floor_mb=170")
    for order, reached, reason in (
        (32, 170, "is below the floor of 174080 KiB"),
        (300, 256, "is beyond memory/static-max, 262144 KiB"),
        (200, 200, ""),
    ):
        memory.target(order, reached)
        error = memory.says("error")
        env.check(reason in error and bool(reason) == bool(error), f"{order} MiB: {error!r}")
        env.check(memory.ram() == reached * MB, f"{memory.ram()} KiB at {order} MiB")
    for nonsense in ("", "twelve", "-1", "0", "99999999999999999999", "1048576 "):
        memory.order("target", nonsense)
        env.await_(lambda: "no number" in memory.says("error"), f"a reason for {nonsense!r}")
        env.check(memory.ram() == 200 * MB, f"{nonsense!r} moved memory")
    memory.target(256)
    # What the administrator of the guest wants holds until the host's next order.
    memory.guest.run(f"echo {180 * MB} >{SYSFS}/target_kb")
    env.await_(lambda: memory.ram() == 180 * MB, "the target of sysfs")
    for bad in (f"echo x >{SYSFS}/target_kb", f"echo 0 >{SYSFS}/target_kb",
                f"echo 5 >{SYSFS}/max_retry_count", f"echo 0 >{SYSFS}/max_schedule_delay"):
        env.check(memory.guest.run(bad, check=False).rc != 0, f"{bad} was accepted")
    read = {name: memory.guest.read(f"{SYSFS}/{name}").strip() for name in (
        "target_kb", "target", "max_retry_count", "max_schedule_delay", "scrub_pages",
        "info/current_kb", "info/low_kb", "info/high_kb")}
    env.check(read == {
        "target_kb": str(180 * MB), "target": str(180 << 20), "max_retry_count": "0",
        "max_schedule_delay": "32", "scrub_pages": "1", "info/current_kb": str(180 * MB + 64),
        "info/low_kb": str(76 * MB), "info/high_kb": "0"}, f"sysfs: {read}")
    memory.target(170)
    env.allow_log("memory/target is ")


@case(**ENGINE)
def balloon_populate_on_demand(env):
    """What a guest was only promised is released at once, below the floor if need be."""
    memory = Memory(env, target=100, mem_promised=156 * 256)
    memory.load(parameters="mode=engine floor_mb=200")
    env.await_(lambda: memory.told(state="idle", goal=100 * MB), "the first target")
    env.check(memory.host("mem_promised") == 0, "Xen still owes memory")
    env.check(memory.ram() == 100 * MB, f"{memory.ram()} KiB are there")
    memory.target(150)
    memory.exercise(10)
    memory.target(256)
    memory.exercise()
    env.check(memory.stat("pages_drift") == 0, "Xen's figure did not agree with ours")


@case(**ENGINE, slow=True)
def balloon_out_of_memory(env):
    """Before a process is killed the guest gets memory back, and keeps it."""
    memory = Memory(env)
    memory.load(parameters="mode=engine floor_mb=64")
    memory.guest.run("mkdir -p /run/fill && mount -t tmpfs -o size=250m fill /run/fill")
    memory.order("target", 64 * MB)
    # It stops by itself when nothing more is available.
    env.await_(
        lambda: (memory.says("error") or "").startswith("the guest has no free"), "the end", 60
    )
    memory.guest.run("dd if=/dev/zero of=/run/fill/a bs=1M count=60 2>/dev/null", timeout=120)
    env.await_(lambda: int(memory.says("rescued") or 0) > 0, "memory to be given back")
    env.await_(
        lambda: "ran out of memory and keeps" in memory.says("error")
        and memory.told(state="idle", goal=memory.ram()),
        "a reason",
    )
    kills = memory.guest.run("dmesg | grep -c 'Killed process'", check=False).out.strip()
    env.check(kills == "0", f"{kills} processes were killed")
    env.note("rescued_kib", memory.says("rescued"))
    # The next order counts again.
    memory.guest.run("umount /run/fill")
    memory.target(200)


@case(**ENGINE)
def balloon_policy(env):
    """The kernel's own balloon gets a floor and a reason, and is left in order at the end."""
    memory = Memory(env)
    memory.guest.load("builtin-balloon")
    env.check(
        "not active" not in memory.guest.dmesg() and memory.guest.read(f"{SYSFS}/target_kb"),
        "the kernel's own balloon does not run",
    )
    refused = memory.guest.console.insmod(
        env.module("debug", "core/xenpv-core.ko"), ""
    ).wait(60).rc or memory.guest.console.insmod(
        env.module("debug", "balloon/xen-balloon.ko"), "mode=engine"
    ).wait(60).rc
    env.check(refused == -16, f"mode=engine beside it: {refused}, expected -EBUSY")
    loaded = memory.guest.console.insmod(
        env.module("debug", "balloon/xen-balloon.ko"), "floor_mb=170"
    ).wait(60).rc
    env.check(loaded == 0, f"loading ended with {loaded}")
    memory.await_state("idle")
    env.check(memory.says("mode") == "policy", f"the mode is {memory.says('mode')}")
    for order, reached, reason in (
        (200, 200, ""),
        (64, 170, "is below the floor"),
        (300, 256, "is beyond memory/static-max"),
        (190, 190, ""),
    ):
        memory.target(order, reached)
        error = memory.says("error")
        env.check(reason in error and bool(reason) == bool(error), f"{order} MiB: {error!r}")
        env.await_(lambda r=reached: memory.ram() == r * MB, f"{reached} MiB to be there")
        memory.exercise(16)
    # It counts in an amount of its own.
    theirs = int(memory.guest.read(f"{SYSFS}/target_kb"))
    memory.guest.run(f"echo {theirs - 10 * MB} >{SYSFS}/target_kb")
    env.await_(lambda: memory.ram() == 180 * MB, "the target of sysfs", 90)
    memory.host_says(mem_refuse="Y")
    memory.order("target", 256 * MB)
    env.await_(lambda: (memory.says("error") or "").startswith("Xen refused"), "a reason", 60)
    memory.host_says(mem_refuse="N")
    # It would have slept for an hour.
    env.await_(lambda: memory.ram() == 256 * MB, "the rest, without an order", 120)
    memory.guest.run("rmmod xen_balloon")
    env.check(memory.says("state") is None, "what it told is still in xenstore")
    memory.order("target", 200 * MB)
    env.await_(lambda: memory.ram() == 200 * MB, "the kernel's own balloon, alone")


@case(**ENGINE)
def balloon_modes_refused(env):
    """A mode that cannot be is refused with a reason; without the parameter the right one is."""
    memory = Memory(env)
    for parameters, errno, message in (
        ("mode=policy", -19, "has nothing to drive"),
        ("mode=both", -22, "mode=both is unknown"),
        ("mode=engine batch=0", -34, "out of bounds, 1 to 256"),
    ):
        if "core" not in memory.guest.read("/proc/modules"):
            memory.guest.load("xenpv-core")
        result = memory.guest.console.insmod(
            env.module("debug", "balloon/xen-balloon.ko"), parameters
        ).wait(60)
        env.check(result.rc == errno, f"{parameters}: {result.rc}, expected {errno}")
        env.check(message in memory.guest.dmesg(), f"no word of {message!r}")
    result = memory.guest.console.insmod(env.module("debug", "balloon/xen-balloon.ko"), "").wait(60)
    env.check(result.rc == 0, f"without a mode: {result.rc}")
    memory.await_state("idle")
    env.check(memory.says("mode") == "engine", "no built-in balloon, but not the engine's mode")
    memory.target(200)
    env.check(memory.guest.run("rmmod xen_balloon", check=False).rc != 0, "it could be unloaded")
    env.allow_log("batch=0|is invalid for parameter")


@case(**ENGINE)
def balloon_save_restore(env):
    """After a resume it tells its new domain all, and obeys it."""
    memory = Memory(env)
    memory.load()
    memory.target(200)
    memory.guest.save_restore()
    memory.order("static-max", memory.max)
    memory.order("target", 200 * MB)
    env.await_(lambda: memory.told(state="idle", goal=200 * MB, mode="engine"), "what it tells")
    env.check(memory.ram() == 200 * MB, f"{memory.ram()} KiB are there")
    memory.target(256)
    memory.exercise()
