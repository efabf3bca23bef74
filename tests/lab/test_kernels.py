# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules on another kernel than this machine's: scripts/kernel-matrix builds them."""

from harness import case, traffic

from lab.balloon import BLACKLIST, Memory
from lab.load import fio

SERVER = "/lab/bin/traffic serve --seconds 3600"
SECOND = 10**9
MILLISECOND = 10**6


def check_release(env, guest, release):
    """The kernel is the one that is meant; our modules for another would not load."""
    found = guest.run("uname -r").out.strip()
    env.check(found.startswith(release), f"the kernel is {found}, not {release}*")
    env.note("release", found)


def check_driver(env, guest, device, name):
    driver = guest.run(f"basename $(readlink /sys/bus/xen/devices/{device}/driver)").out.strip()
    env.check(driver == name, f"{device} is driven by {driver}")


def use_disk(env, guest, image):
    """What fio writes it reads back; what is written last is in the image."""
    check_driver(env, guest, "vbd-51712", "xen-vbd")
    guest.run(fio("xvda", size="1M"), timeout=60)
    written = guest.run(
        "dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null && "
        "dd if=/tmp/data of=/dev/xvda bs=64k conv=fsync 2>/dev/null && md5sum </tmp/data"
    ).out.split()[0]
    kept = env.host.run(f"head -c 1048576 {image.path} | md5sum").out.split()[0]
    env.check(kept == written, f"the image has {kept}, the guest wrote {written}")


def use_moving_disk(env, guest):
    """A second disk comes, is used and goes, with all of its grants."""
    moving, before = env.image("8M"), guest.grants()
    guest.attach(moving.disk("xvdb"))
    guest.run(fio("xvdb", size="512k"), timeout=60)
    guest.detach("xvdb")
    env.await_(lambda: guest.grants() <= before, f"{before} grants as before", timeout=5)


def use_network(env, guest, network):
    guest.run("insmod /extra/xen-vnif.ko")
    network.join(guest)
    check_driver(env, guest, "vif-0", "xen-vnif")
    traffic.compare(guest, network.addresses(1))
    handle = guest.attach_nic(network.nic())
    guest.detach_nic(handle)
    traffic.compare(guest, network.addresses(1)[:1], size="64K")


def use_balloon(env, memory, high, low):
    """Down and up again; the kernel's own balloon is off in PVH guests (docs/balloon.md)."""
    expected = "engine" if env.kind == "pvh" else "policy"
    env.check(memory.says("mode") == expected, f"the mode is {memory.says('mode')}")
    for size in (low, high):
        memory.target(size)
        memory.check_xen(size)


def offsets(env, guest, clock):
    """{way to ask: nanoseconds that the host's clock is ahead of the guest's}."""
    found = {}
    for line in guest.run(f"lab-clock read {clock}").out.splitlines():
        way, offset, width = line.split()
        env.check(offset != "-", f"{way}: errno {width}")
        found[way] = int(offset)
    return found


def use_clock(env, guest):
    """A clock that is 5 s wrong is seen to be, and is put right by the host's."""
    guest.run("insmod /extra/xen-ptp.ko")
    clock = guest.run("lab-clock find xen").out.strip()
    # Some time gets lost when an emulated guest boots.
    before = offsets(env, guest, clock)["precise"]
    env.note("behind_at_boot_ms", round(before / MILLISECOND, 1))
    for command, expected in (("step -5", before + 5 * SECOND), (f"follow {clock}", 0)):
        guest.run(f"lab-clock {command}")
        for way, offset in offsets(env, guest, clock).items():
            away = offset - expected
            env.check(abs(away) < 20 * MILLISECOND, f"after {command}: {way} is {away} ns off")


@case(benches="lab", suite="trixie", slow=True, timeout=240)
def runs_on_trixie_kernel(env):
    """Debian 13's kernel 6.12: disks, interfaces, balloon and clock, all of them by our modules."""
    network, image = env.network(), env.image("16M")
    env.host.start(SERVER, timeout=3600)
    memory = Memory(
        env,
        224,
        append=BLACKLIST if env.kind == "pvh" else "",
        disks=[image.disk("xvda")],
        nics=[network.nic()],
    )
    guest = memory.guest
    env.note("boot_seconds", round(guest.boot_seconds, 1))
    check_release(env, guest, "6.12.")
    use_disk(env, guest, image)
    use_moving_disk(env, guest)
    use_network(env, guest, network)
    use_balloon(env, memory, 224, 180)
    use_clock(env, guest)
    # The balloon's engine stays, as it holds what Xen has got.
    guest.run("rmmod xen_ptp" if env.kind == "pvh" else "rmmod xen_ptp xen_balloon")
    guest.shutdown()
