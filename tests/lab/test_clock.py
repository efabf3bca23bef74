# SPDX-License-Identifier: GPL-2.0-or-later
"""The PTP clock over Xen's wall clock, on real Xen."""

from harness import case

SECOND = 10**9
MILLISECOND = 10**6


def load(system, program="lab-clock", folder="/extra"):
    """Load the driver; returns the path of the clock."""
    system.run(f"insmod {folder}/xen-ptp.ko")
    return system.run(f"{program} find xen").out.strip()


def offsets(system, path, program="lab-clock"):
    """{way to ask: (device - system, width of the window)} in nanoseconds."""
    found = {}
    for line in system.run(f"{program} read {path}").out.splitlines():
        way, offset, width = line.split()
        found[way] = (int(offset), int(width)) if offset != "-" else f"errno {width}"
    return found


@case(benches="lab", guests="pv pvh", timeout=120, slow=True)
def ptp_clock_xen(env):
    """A guest without a network whose clock is 5 s wrong is put right, within 1 ms of dom0."""
    guest, host = env.guest(), env.host
    ours = load(guest)
    theirs = load(host, "/lab/extra/lab-clock", "/lab/extra")
    try:
        guest.run("lab-clock step -5")
        wrong = offsets(guest, ours)
        for way in ("extended", "precise", "plain"):
            env.check(isinstance(wrong[way], tuple), f"{way}: {wrong[way]}")
            offset, width = wrong[way]
            # dom0's clock was set just before; Xen's is no further away than that.
            env.check(
                4 * SECOND < offset < 6 * SECOND, f"{way}: {offset} ns, expected 5 s ({width})"
            )
        env.check(
            "not supported" in guest.run(f"lab-clock set {ours}").out, "the clock can be set"
        )
        guest.run(f"lab-clock follow {ours}")
        # Both are measured against the same clock: Xen's.
        away = (
            offsets(host, theirs, "/lab/extra/lab-clock")["precise"][0]
            - offsets(guest, ours)["precise"][0]
        )
        env.note("guest_minus_dom0_us", round(away / 1000, 1))
        env.check(abs(away) < MILLISECOND, f"the guest is {away} ns ahead of dom0")
        # And without it: dom0's clock before and after the guest's, which takes a while.
        before = float(host.run("date +%s.%N").out)
        inside = float(guest.run("date +%s.%N || date +%s").out)
        after = float(host.run("date +%s.%N").out)
        env.check(before - 1 <= inside <= after + 1, f"{inside} is not in {before} .. {after}")
    finally:
        host.run("rmmod xen_ptp", check=False)


@case(benches="lab", guests="pv", timeout=240, slow=True)
def ptp_after_restore(env):
    """After save and restore the clock is that of the host at once, and the guest's is behind."""
    guest = env.guest()
    clock = load(guest)
    guest.run(f"lab-clock follow {clock}")
    guest.save_restore()
    env.host.run("true")
    behind = offsets(guest, clock)["extended"][0]
    env.note("behind_ms", round(behind / MILLISECOND))
    before = float(env.host.run("date +%s").out)
    guest.run(f"lab-clock follow {clock}")
    inside = float(guest.run("date +%s").out)
    after = float(env.host.run("date +%s").out)
    env.check(before - 2 <= inside <= after + 2, f"{inside} is not in {before} .. {after}")
