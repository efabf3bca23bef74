# SPDX-License-Identifier: GPL-2.0-or-later
"""The PTP clock over Xen's wall clock, on the shim."""

from harness import case
from lab.images import programs

PARAMETERS = "/sys/module/xenshim/parameters"
CLOCK = {"benches": "uml", "frontend": "none", "backend": "none"}
SECOND = 10**9

# How far two readings of clocks that are the same may be apart; not a matter of speed,
# since each is between two readings of the other.
NEAR = SECOND // 50


def offsets(guest):
    """{way to ask: (device - system, width of the window)} in nanoseconds."""
    lines = guest.run(f"{programs.clock()} read /dev/ptp0").out.splitlines()
    found = {}
    for line in lines:
        way, offset, width = line.split()
        found[way] = (int(offset), int(width)) if offset != "-" else f"errno {width}"
    return found


def check_offsets(env, guest, expected):
    """Each way to ask gives the same answer, within what the reading took."""
    found = offsets(guest)
    for way in ("extended", "precise", "plain"):
        env.check(isinstance(found[way], tuple), f"{way}: {found[way]}")
        offset, width = found[way]
        env.check(
            abs(offset - expected) <= NEAR + width,
            f"{way}: {offset} ns, expected {expected}, window {width}",
        )


@case(**CLOCK, kernels="plain debug")
def ptp_clock(env):
    """The clock shows what Xen's does, by each way to ask, and cannot be set."""
    guest = env.guest()
    guest.load("xen-ptp")
    name = guest.read("/sys/class/ptp/ptp0/clock_name")
    env.check(name == "xen\n", f"the clock is called {name!r}")
    base = offsets(guest)["extended"][0]
    for ahead in (0, 5, -86400 * 365):
        guest.run(f"echo {ahead * SECOND} >{PARAMETERS}/wallclock_offset_ns")
        check_offsets(env, guest, base + ahead * SECOND)
    refused = guest.run(f"{programs.clock()} set /dev/ptp0").out.split("\n")[:3]
    env.check(
        len(refused) == 3 and "done" not in " ".join(refused), f"setting the clock: {refused}"
    )
    # The system's clock is set back; the other one stays where it is.
    guest.run(f"echo 0 >{PARAMETERS}/wallclock_offset_ns")
    guest.run(f"{programs.clock()} step -5")
    check_offsets(env, guest, base + 5 * SECOND)
    guest.run(f"{programs.clock()} follow /dev/ptp0")
    check_offsets(env, guest, 0)
    guest.run("rmmod xen_ptp")
    env.check(guest.read("/sys/class/ptp/ptp0/clock_name") is None, "the clock is still there")


@case(**CLOCK)
def ptp_refuses_cmos(env):
    """Where the kernel reads the emulated CMOS clock, there is no PTP clock."""
    guest = env.guest()
    guest.run(f"echo Y >{PARAMETERS}/wallclock_cmos")
    result = guest.console.insmod(env.module("debug", "ptp/xen-ptp.ko"), "").wait(60)
    env.check(result.rc == -19, f"loading ended with {result.rc}, expected -ENODEV")
    env.check("does not read Xen's wall clock" in guest.dmesg(), "no word of why")
    guest.run(f"echo N >{PARAMETERS}/wallclock_cmos")
    guest.load("xen-ptp")
    env.check(guest.read("/sys/class/ptp/ptp0/clock_name") == "xen\n", "no clock")
