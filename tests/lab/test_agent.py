# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host sees of a real Debian guest through its agent."""

from harness import Disk, case
from harness.golden import compare, listed

PATHS = (
    "attr/PVAddons/Installed attr/PVAddons/MicroVersion data/os_name data/os_uname "
    "data/meminfo_total data/meminfo_free data/host_name_dns drivers/0 feature/hotplug/vbd "
    "data/xenpv/time/clocksource data/xenpv/time/source data/xenpv/device/memory "
    "data/xenpv/device/cpu data/xenpv/device/vbd/51712 data/xenpv/device/vbd/51712/0 "
    "data/xenpv/feature-freeze data/xenpv/shutdown/state data/updated"
).split()

HOOK = "#!/bin/sh\nlogger hook $1; echo $1 >>/run/hooks\n"

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


def freeze_and_thaw(env, guest):
    """While the guest is frozen its disk is whole for the host; hooks run before and after."""
    request = f"{home(guest)}/control/xenpv/freeze"
    state = "data/xenpv/freeze/state"
    env.host.xs_write(request, "freeze ab12 60")
    env.await_(lambda: read(env, guest, state) in ("frozen", "failed"), state, 60)
    error = read(env, guest, "data/xenpv/freeze/error")
    env.check(read(env, guest, state) == "frozen", f"failed: {error}")
    fsck = env.host.run("e2fsck -fn /dev/vdc", check=False, timeout=120)
    env.check(fsck.rc == 0 and "recovering" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")
    env.host.xs_write(request, "thaw ab12")
    env.await_(lambda: read(env, guest, state) == "thawed", f"{state} = thawed", 60)
    env.check(read(env, guest, "data/xenpv/freeze/reason") == "asked", "reason")
    env.host.run(f"xenstore-rm {request}")
    hooks = guest.run("cat /run/hooks").out.split()
    env.check(hooks == ["freeze", "thaw"], f"hooks that ran: {hooks}")
    guest.run("echo after >/root/after && sync", timeout=60)


@case(
    benches="lab",
    guests="pv",
    more_guests="pvh",
    image="debian",
    scripts="stock",
    timeout=400,
)
def agent_as_the_host_sees_it(env):
    """The agent's paths, a freeze with hooks, a restore, and a shutdown that a hook is run at."""
    guest = env.guest(disks=[Disk("/dev/vdc", "xvda")], image="debian")
    root = guest.run("findmnt -no SOURCE /").out.strip()
    env.check(root == "/dev/xvda", f"the root is on {root}")
    check_paths(env, guest)
    pid = guest.run("systemctl show -P MainPID xenpv-agent").out.strip()
    rss = int(guest.run(f"awk '/VmRSS/ {{ print $2 }}' /proc/{pid}/status").out)
    env.note("rss_kib", rss)
    env.check(rss < RSS_MAX, f"{rss} KiB resident")
    guest.write("/tmp/hook", HOOK.encode(), mode=0o755)
    guest.run("mkdir -p /etc/xenpv/freeze.d && mv /tmp/hook /etc/xenpv/freeze.d/10-note")
    freeze_and_thaw(env, guest)
    old = guest.domid
    guest.save_restore()
    env.check(guest.domid != old, f"still domain {old}")
    check_paths(env, guest)
    log = guest.run("journalctl -q -b -u xenpv-agent -p warning --no-pager", check=False).out
    env.check(not log.strip(), f"warnings of the agent: {log}")
    guest.shutdown(timeout=90)
    fsck = env.host.run("e2fsck -fn /dev/vdc", check=False, timeout=60)
    env.check(fsck.rc == 0 and "recovering" not in fsck.out, f"e2fsck: {fsck.out}{fsck.err}")
