# SPDX-License-Identifier: GPL-2.0-or-later
"""The balloon on real Xen. The machine is small, so the guests are."""

import time

from harness import case

from lab.balloon import BLACKLIST, MB, Memory

# Blocks of 2 MiB at the edges of what is moved, which are moved page by page.
EDGES = 4

# The kernel's own balloon makes one hypercall in each call of these.
TRACING = "/sys/kernel/tracing"
BUILTIN_CALLS = ("decrease", "increase")

# Busy with a file in memory whose content it knows.
LOAD = (
    "seq 1 200000 >/tmp/load.0; want=$(md5sum </tmp/load.0); n=0; "
    "until [ -e /tmp/load.stop ]; do n=$((n + 1)); cp /tmp/load.0 /tmp/load.1; "
    '[ "$(md5sum </tmp/load.1)" = "$want" ] || { echo "pass $n: not what was written"; exit 1; }; '
    "done; rm -f /tmp/load.*; echo $n"
)


def end_load(env, guest, load):
    """It was right all the time, and nobody was killed."""
    guest.run("touch /tmp/load.stop")
    done = load.wait(60)
    env.check(done.rc == 0 and int(done.out) > 0, f"the load failed: {done.out}{done.err}")
    killed = guest.run("dmesg | grep -c 'Killed process'", check=False).out.strip()
    env.check(killed == "0", f"{killed} processes were killed")


def limited(env, memory, high, low):
    """xl mem-max below the target: as far as it allows, and the rest when it allows that.

    It sets Xen's limit, and memory/static-max to the same.
    """
    domid, middle = memory.guest.domid, (high + low) // 2
    memory.target(low)
    env.host.run(f"xl mem-max {domid} {middle}m")
    # xl mem-set would set the limit as well.
    env.host.xs_write(f"/local/domain/{domid}/memory/target", high * MB)
    memory.await_idle(middle)
    memory.check_xen(middle)
    error = memory.says("error")
    env.check("is beyond memory/static-max" in error, f"beyond xl mem-max: {error!r}")
    env.host.run(f"xl mem-max {domid} {high}m")
    # The order stands.
    memory.await_idle(high)
    memory.check_xen(high)
    env.check(memory.says("error") == "", f"after xl mem-max {high}: {memory.says('error')!r}")


def down_and_up(env, memory, high, low, floor):
    """To a low target and back, under load; impossible targets are answered with a reason."""
    guest, load = memory.guest, memory.guest.start(LOAD)
    env.note("down_seconds", round(memory.target(low), 1))
    memory.check_xen(low)
    env.note("up_seconds", round(memory.target(high), 1))
    memory.check_xen(high)
    memory.target(16, reached=floor)
    error = memory.says("error")
    env.check("target 16384 KiB is below the floor" in error, f"below the floor: {error!r}")
    memory.target(high)
    # xl refuses such a target by itself.
    domain = f"/local/domain/{guest.domid}"
    env.host.xs_write(f"{domain}/memory/target", (high + 64) * MB)
    env.await_(lambda: "beyond memory/static-max" in (memory.says("error") or ""), "a reason")
    env.host.xs_write(f"{domain}/memory/target", high * MB)
    env.await_(lambda: memory.says("error") == "", "the reason to go")
    limited(env, memory, high, low)
    end_load(env, guest, load)


@case(benches="lab", timeout=120)
def balloon_policy_xen(env):
    """Beside the kernel's own balloon: mem-set is obeyed under load, with a floor and a reason."""
    memory = Memory(env, 224, "floor_mb=150")
    env.check(memory.says("mode") == "policy", f"the mode is {memory.says('mode')}")
    down_and_up(env, memory, 224, 170, 150)


@case(benches="lab", guests="pvh", timeout=120)
def balloon_engine_xen(env):
    """In place of it: mem-set is obeyed under load, in blocks of 2 MiB."""
    memory = Memory(env, 224, "floor_mb=150", append=BLACKLIST)
    env.check(memory.says("mode") == "engine", f"the mode is {memory.says('mode')}")
    down_and_up(env, memory, 224, 170, 150)
    stats = memory.stats()
    for name in ("decrease_hypercalls", "populate_hypercalls", "blocks_out", "blocks_in"):
        env.note(name, int(stats[name]))
    env.check(int(stats["blocks_out"]) >= 27, f"{stats['blocks_out']} blocks went out")
    env.check(int(stats["blocks_in"]) >= 27, f"{stats['blocks_in']} blocks came back")
    env.check(stats["pages_drift"] == "0", f"Xen's figure was off by {stats['pages_drift']}")
    env.check(stats["pages_lost"] == "0", f"{stats['pages_lost']} pages are lost")


@case(benches="lab", guests="pv", timeout=240, slow=True)
def balloon_engine_pv(env):
    """Engine mode in a PV guest: single pages, the same result."""
    memory = Memory(env, 224, "floor_mb=150", append=BLACKLIST)
    env.check(memory.says("mode") == "engine", f"the mode is {memory.says('mode')}")
    down_and_up(env, memory, 224, 170, 150)


@case(benches="lab", guests="pv pvh", timeout=600)
def balloon_gigabyte(env):
    """1024 to 512 to 1024 MiB under load: PV by policy, PVH by both modes; none is killed."""
    for mode in ("policy", "engine") if env.kind == "pvh" else ("policy",):
        memory = Memory(env, 1024, "", append=BLACKLIST if mode == "engine" else "")
        env.check(memory.says("mode") == mode, f"the mode is {memory.says('mode')}")
        before = memory.superpages() if env.kind == "pvh" else None
        load = memory.guest.start(LOAD)
        env.note(f"{mode}_down_seconds", round(memory.target(512), 1))
        memory.check_xen(512)
        env.note(f"{mode}_up_seconds", round(memory.target(1024), 1))
        memory.check_xen(1024)
        end_load(env, memory.guest, load)
        if before is not None:
            after = memory.superpages()
            env.note(f"{mode}_superpages", f"{before}/{after}")
            env.check(mode == "policy" or after >= before - EDGES, f"{before} became {after}")
        memory.guest.destroy()


def count_builtin(guest):
    """Count the hypercalls of the kernel's own balloon from now on."""
    guest.run(
        f"mount -t tracefs trace {TRACING} && cd {TRACING} && "
        + " && ".join(f"echo p:xenpv/{n} xenmem_reservation_{n} >>kprobe_events"
                      for n in BUILTIN_CALLS)
        + " && echo 1 >events/xenpv/enable"
    )


def calls_of(memory, name):
    """{way: hypercalls} so far."""
    if name == "engine":
        stats = memory.stats()
        return {w: int(stats[f"{w}_hypercalls"]) for w in ("decrease", "populate")}
    lines = memory.guest.run(f"cat {TRACING}/kprobe_profile").out.splitlines()
    hits = {line.split()[0]: int(line.split()[1]) for line in lines}
    return {"decrease": hits["decrease"], "populate": hits["increase"]}


@case(benches="lab", guests="pvh", timeout=600)
def balloon_beside_builtin(env):
    """1024 to 512 to 1024 MiB by the engine and by the kernel's own balloon, in one run."""
    calls, pages = {}, {}
    for name in ("builtin", "engine"):
        engine = name == "engine"
        memory = Memory(env, 1024, "" if engine else None, append=BLACKLIST if engine else "")
        if not engine:
            count_builtin(memory.guest)
        before = memory.superpages()
        for way, size in (("down", 512), ("up", 1024)):
            begun = time.monotonic()
            memory.order(size)
            env.await_(lambda s=size, m=memory: abs(m.xen_mb() - s) <= 2, f"{size} MiB", 120)
            env.note(f"{name}_{way}_seconds", round(time.monotonic() - begun, 2))
        calls[name] = calls_of(memory, name)
        pages[name] = (before, memory.superpages())
        memory.guest.destroy()
    for way in ("decrease", "populate"):
        env.note(f"{way}_hypercalls", f"{calls['builtin'][way]}/{calls['engine'][way]}")
    for name, (before, after) in pages.items():
        env.note(f"{name}_superpages", f"{before}/{after}")
    for way, goal in (("decrease", 3.5), ("populate", 20)):
        theirs, ours = calls["builtin"][way], calls["engine"][way]
        env.check(0 < goal * ours <= theirs, f"{way}: {ours} hypercalls, the built-in {theirs}")
    before, after = pages["engine"]
    env.check(after >= before - EDGES, f"the engine left {after} of {before} superpages")
    env.check(pages["builtin"][1] < after, f"no more than the built-in left: {pages}")


@case(benches="lab", guests="pvh", timeout=240, slow=True)
def balloon_populate_on_demand_xen(env):
    """A guest started with less than maxmem: what it was only promised is released in time."""
    memory = Memory(env, 128, "", append=BLACKLIST, config="maxmem = 256")
    memory.check_xen(128)
    env.check(memory.stats()["pages_promised"] == "0", "memory is still only promised")
    # Without the balloon, filling it would end the guest.
    memory.guest.run(
        "mount -t tmpfs -o size=90% tmpfs /mnt; "
        "dd if=/dev/zero of=/mnt/a bs=1M count=24 2>/dev/null"
    )
    memory.target(256)
    memory.check_xen(256)
    memory.guest.run("dd if=/dev/zero of=/mnt/b bs=1M count=64 2>/dev/null; rm -f /mnt/?")


@case(benches="lab", guests="pvh", timeout=240, slow=True)
def balloon_hotplug(env):
    """More than the guest was started with: RAM is added, and populated once it is online."""
    memory = Memory(env, 192, "", append=BLACKLIST)
    domain = f"/local/domain/{memory.guest.domid}"
    env.host.run(f"xl mem-max {memory.guest.domid} 320m")
    env.host.xs_write(f"{domain}/memory/static-max", 320 * MB)
    env.host.xs_write(f"{domain}/memory/target", 256 * MB)
    env.await_(lambda: "set online" in (memory.says("error") or ""), "added memory")
    memory.guest.run(
        "for s in /sys/devices/system/memory/memory*/state; do "
        "grep -q offline $s && echo online >$s; done; true"
    )
    memory.await_idle(256)
    memory.check_xen(256)
    memory.guest.run("mount -t tmpfs -o size=90% tmpfs /mnt; dd if=/dev/zero of=/mnt/a bs=1M "
                     "count=100 2>/dev/null; rm /mnt/a")
    memory.target(192)
    memory.check_xen(192)


@case(benches="lab", guests="pv pvh", timeout=240, slow=True)
def balloon_save_restore_xen(env):
    """A guest that is ballooned down is saved and restored, and goes on from there."""
    append = BLACKLIST if env.kind == "pvh" else ""
    memory = Memory(env, 224, "", append=append)
    memory.target(180)
    memory.guest.save_restore()
    memory.await_idle(180)
    memory.check_xen(180)
    memory.target(224)
    memory.check_xen(224)
