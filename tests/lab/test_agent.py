# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host sees of a real Debian guest through its agent."""

from harness import Disk, case
from harness.golden import compare, listed

from lab.guest import MEMORY
from lab.images.cache import ROOT

PATHS = (
    "attr/PVAddons/Installed attr/PVAddons/MicroVersion data/os_name data/os_uname "
    "data/meminfo_total data/meminfo_free data/host_name_dns drivers/0 feature/hotplug/vbd "
    "data/xenpv/time/clocksource data/xenpv/time/source data/xenpv/device/memory "
    "data/xenpv/device/cpu data/xenpv/device/vbd/51712 data/xenpv/device/vbd/51712/0 "
    "data/xenpv/device/vbd/51728 "
    "data/xenpv/feature-freeze data/xenpv/shutdown/state data/updated"
).split()

HOOK = "#!/bin/sh\nlogger hook $1; echo $1 >>/run/hooks\n"

FREEZE = "data/xenpv/freeze"
STATE = f"{FREEZE}/state"

# A volume as databases have theirs: all above it, and itself, is another user's alone.
OWNER = "daemon"
PRIVATE = "/srv/database"
VOLUME = f"{PRIVATE}/data"
ACKNOWLEDGED = "acknowledged before the freeze"
WRITING = "/run/writing"
WRITER = (
    f"touch {WRITING}; while [ -e {WRITING} ]; do "
    f"dd if=/dev/zero of={VOLUME}/noise bs=4k count=8 conv=fsync status=none || exit; "
    "sleep 0.05; done"
)

# Seconds that the clock is wrong before the restore, and may be afterwards.
BEHIND = 5
RIGHT = 1

MEGABYTES_MORE = 128

# Beyond these an agent would be a burden: KiB resident, nodes in xenstore.
RSS_MAX = 8192
NODES_MAX = 200


def home(guest):
    return f"/local/domain/{guest.domid}"


def read(env, guest, path):
    return env.host.xs_read(f"{home(guest)}/{path}")


def check_paths(env, guest):
    """Everything is there, and what is checked is as the guest itself has it."""
    env.await_(lambda: read(env, guest, "data/updated"), "data/updated", 120)
    missing = [path for path in PATHS if not read(env, guest, path)]
    env.check(not missing, f"not reported: {missing}")
    total = guest.run("awk '/MemTotal/ { print $2 }' /proc/meminfo").out.strip()
    env.check(read(env, guest, "data/meminfo_total") == total, "data/meminfo_total")
    disk = read(env, guest, "data/xenpv/device/vbd/51712")
    env.check("driver=xen-vbd" in disk, f"the disk: {disk}")
    volume = read(env, guest, "data/xenpv/device/vbd/51712/0")
    label = "name=xvda", "type=ext4", "label=xenpv-guest", "mount=/ ", "free="
    env.check(all(word in volume for word in label), f"the volume: {volume}")
    nodes = listed(env.host.run(f"xenstore-ls -f {home(guest)}").out, home(guest))
    env.check(len(nodes) <= NODES_MAX, f"{len(nodes)} nodes")
    env.note("nodes", len(nodes))
    env.note("golden", compare(nodes))


def mount_volume(env, guest):
    guest.run(
        f"install -d -o {OWNER} -m 700 {PRIVATE} && install -d -o {OWNER} -m 700 {VOLUME} && "
        f"mount /dev/xvdb {VOLUME} && chown {OWNER} {VOLUME} && chmod 700 {VOLUME}"
    )

    def told():
        words = (read(env, guest, "data/xenpv/device/vbd/51728/0") or "").split()
        return f"mount={VOLUME}" in words and any(word.startswith("free=") for word in words)

    env.await_(told, f"mount point and free space of {VOLUME}", 60)


def use_clock(env, guest):
    """udev's rule names the host's clock, by which the agent finds it."""
    guest.run("modprobe xen-ptp && udevadm settle -t 60", timeout=90)
    name = guest.run("cat /sys/class/ptp/$(basename $(readlink -e /dev/ptp_xen))/clock_name").out
    env.check(name.strip() == "xen", f"/dev/ptp_xen is the clock {name!r}")
    guest.run("systemctl reload xenpv-agent")
    path = "data/xenpv/time/host-offset"
    env.await_(lambda: read(env, guest, path), path, 60)


def add_vcpu(env, guest):
    """A vCPU that the host adds is used at once: udev's rule sees to that."""
    env.check(guest.run("nproc").out.strip() == "1", "the guest does not begin with one vCPU")
    env.host.run(f"xl vcpu-set {guest.domid} 2")
    env.await_(lambda: guest.run("nproc").out.strip() == "2", "the second vCPU in the guest", 30)


def add_memory(env, guest, size):
    """Memory that the host adds, up to size MiB, is used at once."""

    def total():
        return int(guest.run("awk '/MemTotal/ { print $2 }' /proc/meminfo").out) >> 10

    # The kernel takes a little of it to manage it.
    wanted = total() + MEGABYTES_MORE * 3 // 4
    env.host.run(f"xl mem-max {guest.domid} {size}m && xl mem-set {guest.domid} {size}m")
    env.await_(lambda: total() >= wanted, f"{wanted} MiB in the guest of {size}", 60)


def memory_rules(env, guest):
    """udev's rules see to that, not the kernel: the agent's, and that for our balloon alone."""
    blocks = "/sys/devices/system/memory/auto_online_blocks"
    by_kernel = guest.run(f"cat {blocks}").out.strip()
    env.check(by_kernel == "offline", f"{blocks}: {by_kernel}")
    size = MEMORY["debian"]
    add_memory(env, guest, size + MEGABYTES_MORE)
    # By its name it stands for the agent's.
    rules = "/run/udev/rules.d/60-xenpv-agent.rules"
    guest.run(f"mkdir -p {rules.rpartition('/')[0]}")
    guest.write(rules, (ROOT / "packaging/udev/60-xenpv-memory.rules").read_bytes())
    guest.run("modprobe xen-balloon && udevadm control --reload && udevadm settle -t 60")
    add_memory(env, guest, size + 2 * MEGABYTES_MORE)


def ahead(env, guest):
    """Seconds that the guest's clock is ahead of dom0's, at least and at most.

    It is read between two readings of dom0's, so it does not matter how long that takes.
    """
    first, there, last = (
        float(system.run("date +%s.%N").out) for system in (env.host, guest, env.host)
    )
    return there - last, there - first


def restore_with_wrong_clock(env, guest):
    """A clock that is wrong when the guest goes on is put right by the agent, at once."""
    guest.run(f"date -s @$(($(date +%s) - {BEHIND}))")
    _, most = ahead(env, guest)
    env.check(most < -RIGHT, f"the clock was set back, and is {most} s ahead of dom0's")
    guest.save_restore()
    env.await_(lambda: read(env, guest, "data/updated"), "data/updated", 120)
    told = read(env, guest, "data/xenpv/time/correction")
    env.check(told == "stepped", f"what the agent says to have done with the clock: {told}")

    def right():
        least, most = ahead(env, guest)
        env.note("restored_ahead_ms", f"{round(least * 1000)} to {round(most * 1000)}")
        return -RIGHT < least and most < RIGHT

    # Again if the readings took too long to tell: nothing else puts it right in so short a time.
    env.await_(right, f"the guest's clock within {RIGHT} s of dom0's", 30)


def check_copy(env, copy):
    """A copy of a disk that was frozen needs no repair and has what was acknowledged before."""
    features = env.host.run(f"dumpe2fs -h {copy}").out
    env.check("needs_recovery" not in features, f"the journal is to be replayed: {features}")
    fsck = env.host.run(f"e2fsck -fn {copy}", check=False)
    env.check(fsck.rc == 0 and "journal" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")
    found = env.host.run(f"debugfs -R 'cat /acknowledged' {copy}").out
    env.check(found.strip() == ACKNOWLEDGED, f"what was acknowledged is {found!r} in the copy")


def freeze(env, guest, name):
    """Returns when all is frozen: the path of the request."""
    request = f"{home(guest)}/control/xenpv/freeze"
    env.host.xs_write(request, f"freeze {name} 60")
    ids = f"{FREEZE}/id", STATE
    env.await_(
        lambda: tuple(read(env, guest, path) for path in ids)
        in ((name, "frozen"), (name, "failed")),
        STATE,
        60,
    )
    error = read(env, guest, f"{FREEZE}/error")
    env.check(read(env, guest, STATE) == "frozen", f"failed: {error}")
    return request


def freeze_and_thaw(env, guest, image):
    """What the host copies of a frozen guest, while a program writes there, is whole."""
    writer = guest.start(WRITER)
    guest.run(f"until [ -s {VOLUME}/noise ]; do sleep 0.1; done")
    guest.run(f"echo {ACKNOWLEDGED} >{VOLUME}/acknowledged && sync {VOLUME}/acknowledged")
    request = freeze(env, guest, "ab12")
    frozen = read(env, guest, f"{FREEZE}/filesystems")
    env.check(frozen == "2", f"{frozen} file systems are frozen, of / and {VOLUME}")
    env.host.run(f"cp --sparse=always {image.path} {image.path}.copy")
    env.host.xs_write(request, "thaw ab12")
    env.await_(lambda: read(env, guest, STATE) == "thawed", "the thaw", 60)
    env.check(read(env, guest, f"{FREEZE}/reason") == "asked", "reason")
    env.host.run(f"xenstore-rm {request}")
    check_copy(env, f"{image.path}.copy")
    guest.run(f"rm {WRITING}")
    result = writer.wait(60)
    env.check(result.rc == 0, f"the writer: {result.err}")
    hooks = guest.run("cat /run/hooks").out.split()
    env.check(hooks == ["freeze", "thaw"], f"hooks that ran: {hooks}")
    guest.run("echo after >/root/after && sync", timeout=60)


def killed_while_frozen(env, guest):
    """Killed with all of its processes, the agent leaves nothing frozen: its unit sees to that."""
    request = freeze(env, guest, "cd34")
    # Stopped first, since the last of them would thaw on seeing the others' end.
    kill = "systemctl kill xenpv-agent -s"
    guest.run(f"{kill} STOP && {kill} KILL", timeout=30)
    guest.run(f"echo alive >/root/alive && echo alive >{VOLUME}/alive && sync", timeout=30)
    env.host.run(f"xenstore-rm {request}")
    log = guest.run("journalctl -q -b -u xenpv-agent -o cat --no-pager").out
    env.check("thawed 2 file systems that the agent had left frozen" in log, f"its log: {log}")


@case(
    benches="lab",
    guests="pv",
    more_guests="pvh",
    image="debian",
    scripts="stock",
    timeout=400,
)
def agent_as_the_host_sees_it(env):
    """The agent's paths, a freeze with hooks, a restore, a killed agent, and a shutdown."""
    image = env.image("16M")
    env.host.run(f"mke2fs -q -F -t ext4 {image.path}")
    disks = [Disk("/dev/vdc", "xvda"), image.disk("xvdb")]
    guest = env.guest(disks=disks, image="debian", config="maxvcpus = 2")
    root = guest.run("findmnt -no SOURCE /").out.strip()
    env.check(root == "/dev/xvda", f"the root is on {root}")
    mount_volume(env, guest)
    check_paths(env, guest)
    use_clock(env, guest)
    add_vcpu(env, guest)
    pid = guest.run("systemctl show -P MainPID xenpv-agent").out.strip()
    rss = int(guest.run(f"awk '/VmRSS/ {{ print $2 }}' /proc/{pid}/status").out)
    env.note("rss_kib", rss)
    env.check(rss < RSS_MAX, f"{rss} KiB resident")
    guest.write("/tmp/hook", HOOK.encode(), mode=0o755)
    guest.run("mkdir -p /etc/xenpv/freeze.d && mv /tmp/hook /etc/xenpv/freeze.d/10-note")
    freeze_and_thaw(env, guest, image)
    old = guest.domid
    restore_with_wrong_clock(env, guest)
    env.check(guest.domid != old, f"still domain {old}")
    check_paths(env, guest)
    log = guest.run("journalctl -q -b -u xenpv-agent -p warning --no-pager", check=False).out
    env.check(not log.strip(), f"warnings of the agent: {log}")
    killed_while_frozen(env, guest)
    memory_rules(env, guest)
    guest.shutdown(timeout=90)
    fsck = env.host.run("e2fsck -fn /dev/vdc", check=False, timeout=60)
    env.check(fsck.rc == 0 and "recovering" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")
