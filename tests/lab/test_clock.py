# SPDX-License-Identifier: GPL-2.0-or-later
"""The PTP clock over Xen's wall clock, on real Xen, and chrony with it."""

import json

from harness import Disk, case

SECOND = 10**9
MILLISECOND = 10**6

DOM0_CLOCK = "/lab/extra/lab-clock"
ROOT = "/mnt"

# A root for chronyd: what it changes is in memory.
ENTER = (
    f"modprobe crc32c_generic && modprobe ext4 && mount -o ro /dev/xvdb {ROOT} && "
    f"mount -o bind /dev {ROOT}/dev && "
    f"mount -t proc proc {ROOT}/proc && mount -t sysfs sys {ROOT}/sys && "
    f"for d in run tmp var; do mount -t tmpfs tmp {ROOT}/$d || exit 1; done; mkdir {ROOT}/var/lib "
    f"{ROOT}/var/log"
)
# As Debian's unit starts it. What udev's rule does where there is one goes before.
CHRONYD = f"chroot {ROOT} /usr/sbin/chronyd -F 1 -l /var/log/chronyd.log"
# Chrony's first measurement is there after some of these, see "poll" in our file.
CHRONY_LIMIT = 60


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


def tsc(system, program="lab-clock"):
    """(ticks, nanoseconds): the processor's counter and the system's clock at one moment."""
    ticks, now, _width = system.run(f"{program} tsc 1000").out.split()
    return int(ticks), int(now)


def ahead_by_tsc(env, guest):
    """Nanoseconds that a PV guest's clock is ahead of dom0's.

    The counter is the same for both, so it does not matter how long the commands take, and
    what dom0's clock was at the guest's moment lies between two readings of it.
    """
    first, there, last = tsc(env.host, DOM0_CLOCK), tsc(guest), tsc(env.host, DOM0_CLOCK)
    env.check(first[0] < there[0] < last[0], f"the counters differ: {first} {there} {last}")
    share = (there[0] - first[0]) * (last[1] - first[1]) // (last[0] - first[0])
    return there[1] - (first[1] + share)


class Clocks:
    """The clock of a guest beside dom0's."""

    def __init__(self, env, **options):
        self.env = env
        self.guest = env.guest(**options)
        self.pin()
        self.ours = load(self.guest)
        self.theirs = load(env.host, DOM0_CLOCK, "/lab/extra")
        env.await_(self.set_xen, "dom0 to set Xen's clock by its own", 30)

    def pin(self):
        """Put both on one processor.

        Xen's time is of its own on each, and the emulator's timers are so rough that they
        are up to some milliseconds apart.
        """
        self.env.host.run(f"xl vcpu-pin 0 all 0 && xl vcpu-pin {self.guest.domid} all 0")

    def set_xen(self):
        """dom0 sets Xen's clock; returns whether that went well.

        Its kernel does so in two steps, and whatever comes between them is how far Xen's
        clock is behind then. Eleven minutes later it is set anew.
        """
        self.env.host.run(f"{DOM0_CLOCK} step 0")
        return abs(self.dom0_behind()) < MILLISECOND // 2

    def dom0_behind(self):
        """Nanoseconds that dom0's clock is behind Xen's."""
        return offsets(self.env.host, self.theirs, DOM0_CLOCK)["precise"][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.env.host.run("rmmod xen_ptp; xl vcpu-pin 0 all all", check=False)

    def ahead(self):
        """Nanoseconds that the guest is ahead of dom0, each measured against Xen's clock."""
        return self.dom0_behind() - offsets(self.guest, self.ours)["precise"][0]

    def ways(self):
        """{way to measure: nanoseconds ahead}; on PV by the counter, too, without our driver."""
        ways = {"ptp": self.ahead()}
        if self.env.kind == "pv":
            ways["tsc"] = ahead_by_tsc(self.env, self.guest)
        return ways

    def check_near(self, what):
        self.check_ways(what, self.ways())

    def check_ways(self, what, ways):
        """Each within 1 ms of dom0."""
        for way, away in ways.items():
            self.env.note(f"{what}_{way}_us", round(away / 1000, 1))
            self.env.check(
                abs(away) < MILLISECOND, f"{what}: the guest is {away} ns ahead of dom0 ({way})"
            )

    def uptime(self):
        return float(self.guest.run("cat /proc/uptime").out.split()[0])


@case(benches="lab", guests="pv pvh", timeout=120, slow=True)
def ptp_clock_xen(env):
    """A guest without a network whose clock is 5 s wrong is put right, within 1 ms of dom0."""
    with Clocks(env) as clocks:
        guest, ours = clocks.guest, clocks.ours
        before = offsets(guest, ours)["precise"][0]
        guest.run("lab-clock step -5")
        wrong = offsets(guest, ours)
        for way in ("extended", "precise", "plain"):
            env.check(isinstance(wrong[way], tuple), f"{way}: {wrong[way]}")
            offset, width = wrong[way]
            env.note(f"{way}_window_us", round(width / 1000, 1))
            away = offset - before - 5 * SECOND
            env.check(abs(away) < 10 * MILLISECOND, f"{way}: {offset} ns after {before} ({width})")
        refused = guest.run(f"lab-clock set {ours}").out
        env.check("not supported" in refused and "done" not in refused, f"it was set: {refused}")
        guest.run(f"lab-clock follow {ours}")
        env.note("dom0_behind_xen_us", round(clocks.dom0_behind() / 1000, 1))
        clocks.check_near("followed")


@case(benches="lab", guests="pv", more_guests="pvh", image="chrony", timeout=240)
def ptp_chrony(env):
    """Chrony sets a clock that is 5 s wrong by dom0's, without a network; again after a restore."""
    with Clocks(env, disks=[Disk("/lab/chrony.img", "xvdb", "r")]) as clocks:
        guest = clocks.guest
        guest.run(ENTER)
        guest.run(f"ln -s {clocks.ours} /dev/ptp_xen; lab-clock follow {clocks.ours}")
        guest.run("lab-clock step -5")
        told = agent(guest)
        env.check(told["source"] == "none", f"before chronyd: {told}")
        env.check(-6 < float(told["host-offset"]) < -4, f"the offset of the clock: {told}")
        try:
            guest.run(CHRONYD)
            follow_chrony(env, clocks, "start")
            guest.save_restore()
            clocks.pin()
            behind = offsets(guest, clocks.ours)["precise"][0]
            env.note("restored_ahead_ms", round(-behind / MILLISECOND, 3))
            follow_chrony(env, clocks, "restored")
            # Less than what it steps at; it takes some ten seconds to slew.
            guest.run("lab-clock step 0.9")
            env.await_(lambda: float(agent(guest)["offset"]) > 0.01, "chrony to see it ahead", 30)
        except Exception:
            log = guest.run(f"cat {ROOT}/var/log/chronyd.log", check=False).out
            env.note("chronyd", " / ".join(log.splitlines()[-8:]))
            raise


def agent(guest):
    """What the agent tells of the guest's time."""
    report = json.loads(guest.run(f"chroot {ROOT} /usr/sbin/xenpv-agent --json").out)
    home = "data/xenpv/time/"
    return {path[len(home):]: value for path, value in report.items() if path.startswith(home)}


def follow_chrony(env, clocks, what):
    """Chrony has measured anew and the clock is right, in time; the agent tells so."""
    begun = clocks.uptime()
    told, ways = {}, {}

    def right():
        told.update(agent(clocks.guest))
        # What was measured before this began does not count.
        fresh = int(told.get("age", 10**6)) < clocks.uptime() - begun - 1
        if told["synchronised"] != "1" or not fresh:
            return False
        ways.update(clocks.ways())
        return all(abs(away) < MILLISECOND for away in ways.values())

    env.await_(right, f"chrony to set the clock ({what})", 120)
    took = clocks.uptime() - begun
    env.note(f"{what}_seconds", round(took, 1))
    env.check(took < CHRONY_LIMIT, f"{what}: it took {took} s of the guest's time")
    clocks.check_ways(what, ways)
    env.check(told["source"] == "phc" and told["reference"] == "XEN", f"the source: {told}")
    # One more than the clock's own, as our file has it.
    env.check(told["stratum"] == "4", f"the stratum: {told}")
    env.check(abs(float(told["offset"])) < 0.001, f"the offset of chrony: {told}")
    env.check(abs(float(told["host-offset"])) < 0.1, f"the offset of the clock: {told}")


@case(benches="lab", guests="pv", timeout=240, slow=True)
def ptp_after_restore(env):
    """After save and restore the clock is that of the host at once."""
    guest = env.guest()
    clock = load(guest)
    guest.run(f"lab-clock follow {clock}")
    guest.save_restore()
    behind = offsets(guest, clock)["extended"][0]
    env.note("behind_ms", round(behind / MILLISECOND, 3))
    guest.run(f"lab-clock follow {clock}")
    away = ahead_by_tsc(env, guest)
    # dom0's own distance to Xen's clock is in it.
    env.check(abs(away) < SECOND // 10, f"the guest is {away} ns ahead of dom0")
