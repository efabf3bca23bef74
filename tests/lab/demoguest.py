# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo does with one guest, and what it notes of it.

A Debian guest on the kernel's own drivers gets our packages, reboots on our drivers, and is
then looked at from both sides.
"""

import json
import re
import shlex
import time

from harness import Nic

from . import setup
from .demohost import DOM0_ADDRESS, kernel_backend, loaded, serving_program, tap_program
from .load import fio

XVDA = 51712
BRIDGE = "xenbr0"
PACKAGES = {"pvh": "rpm", "pv": "rpm", "hvm": "rpm"}
OURS, STOCK = ("xen-vbd", "xen-vnif"), ("xen-blkfront", "xen-netfront")
MEMORY, SMALLER = 512, 384  # MiB

# It takes its time to stop, as a database would.
SLOW_UNIT = """\
[Unit]
Description=A service that has much to write at its end

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sleep 4

[Install]
WantedBy=multi-user.target
"""


class GuestDemo:
    """One guest type, from `xl create` on stock drivers to the check of its root file system."""

    def __init__(self, env, kind, clock):
        self.env = env
        self.host = env.host
        self.kind = kind
        self.packages = PACKAGES[kind]
        self.say = lambda text: clock.say(f"{kind}: {text}")
        self.facts = {"guest_type": kind, "installed_by": self.packages}
        self.trouble = []

    def expect(self, good, what):
        """Note a disappointment and go on, so that the report shows all of them."""
        if not good:
            self.say(f"NOT AS EXPECTED: {what}")
            self.trouble.append(f"{self.kind}: {what}")

    def run(self):
        guest = self._create()
        self._install(guest)
        self._reboot(guest)
        self._look_inside(guest)
        self._look_at_host(guest)
        self._io(guest)
        self._network(guest)
        self._as_the_host_sees_it(guest)
        self._time(guest)
        self._balloon(guest)
        self._shutdown(guest)

    def _create(self):
        data = self.env.image("64M", f"data-{self.kind}")
        self.root, packages = setup.disks(self.env, self.packages)
        self.say("xl create: Debian as its installer left it, pygrub, root on its VBD")
        guest = self.env.guest(
            disks=[self.root, packages, data.disk("xvdc")],
            nics=[Nic(BRIDGE)],
            memory=MEMORY,
            image="stock",
            kind=self.kind,
        )
        facts = self.facts
        facts["xl_config"] = self.host.read(f"{self.env.folder}/{guest.name}.cfg").decode()
        facts["stock_boot_seconds"] = round(guest.boot_seconds, 1)
        disk, nic = setup.drivers(guest)
        facts["before"] = {
            "vbd_driver": disk,
            "vif_driver": nic,
            "agent": self._reads(guest, "attr/PVAddons/Installed"),
        }
        self.say(f"it answers after {guest.boot_seconds:.1f} s; disk on {disk}, network on {nic}")
        self.expect((disk, nic) == STOCK, f"before the installation: {disk}, {nic}")
        return guest

    def _install(self, guest):
        command = setup.COMMANDS[self.packages]["install"]
        self.say(f"in the guest: {command}")
        begun = time.monotonic()
        done = setup.install(guest, self.packages)
        self.facts["install_command"] = command
        self.facts["install_seconds"] = round(time.monotonic() - begun, 1)
        self.facts["install_output"] = (done.out + done.err).strip()
        self.say(f"installed in {self.facts['install_seconds']} s")
        guest.write("/etc/systemd/system/slow-database.service", SLOW_UNIT.encode())
        guest.run("systemctl enable -q slow-database.service", timeout=60)

    def _reboot(self, guest):
        self.say("xl reboot")
        begun = time.monotonic()
        guest.restart()
        self.facts["boot_seconds"] = round(guest.boot_seconds, 1)
        self.facts["reboot_seconds"] = round(time.monotonic() - begun, 1)
        self.say(f"back after {self.facts['reboot_seconds']} s")

    def _reads(self, guest, path):
        return self.host.xs_read(f"/local/domain/{guest.domid}/{path}")

    def _look_inside(self, guest):
        command = (
            "uname -r; findmnt -no SOURCE /; findmnt -no LABEL /; findmnt -no FSTYPE /; "
            "systemd-detect-virt; sed -n 's/^PRETTY_NAME=//p' /etc/os-release; cat /proc/cmdline"
        )
        keys = "guest_kernel root_device root_label root_fstype virt os cmdline".split()
        lines = guest.run(command).out.splitlines()
        facts = self.facts
        facts.update(zip(keys, (line.strip().strip('"') for line in lines)))
        facts["vbd_driver"], facts["vif_driver"] = setup.drivers(guest)
        facts["stock_frontends_loaded"] = guest.run(
            "grep -oE '^xen_(blk|net)front' /proc/modules", check=False
        ).out.split()
        self.say(
            f"{facts['os']}, Linux {facts['guest_kernel']}, root LABEL={facts['root_label']} on "
            f"{facts['root_device']}, driven by {facts['vbd_driver']}"
        )
        self.expect(facts["root_device"] == "/dev/xvda", f"root is on {facts['root_device']}")
        self.expect(facts["vbd_driver"] == OURS[0], f"the disk's driver is {facts['vbd_driver']}")
        self.expect(not facts["stock_frontends_loaded"], f"{facts['stock_frontends_loaded']}")

    def _look_at_host(self, guest):
        driver = kernel_backend(self.host, guest.domid, f"vbd-{{}}-{XVDA}")
        node = self.host.run(f"readlink -f {shlex.quote(self.root.path)}").out.strip()
        holder = serving_program(self.host, node)
        facts = self.facts
        facts["vbd_backend"] = f"kernel driver {driver}" if driver else holder
        facts["kernel_backend_loaded"] = loaded(self.host, "xen_blkback")
        self.say(f"served by {facts['vbd_backend']}")
        self.expect(facts["vbd_backend"] == "xenpv-backendd", f"{facts['vbd_backend']} serves it")
        self.expect(not facts["kernel_backend_loaded"], "xen-blkback is loaded")

    def _io(self, guest):
        begun = time.monotonic()
        guest.run(fio("xvdc", size="4M"), timeout=120)
        guest.run(
            "dd if=/dev/urandom of=/root/file bs=64k count=64 conv=fsync 2>/dev/null && "
            "md5sum /root/file >/root/sum && echo 3 >/proc/sys/vm/drop_caches && "
            "md5sum -c /root/sum",
            timeout=120,
        )
        self.facts["io_seconds"] = round(time.monotonic() - begun, 1)
        self.say("fio wrote and verified 4 MiB on xvdc; a file on / reads back right")

    def _network(self, guest):
        facts, interface = self.facts, guest.interface()
        self.env.await_(
            lambda: setup.ADDRESS in guest.run(f"ip -br -4 addr show {interface}", check=False).out,
            f"{setup.ADDRESS} on {interface}",
            60,
        )
        tap = f"vif{guest.domid}.0"
        kernel = kernel_backend(self.host, guest.domid, "vif-{}-0")
        facts["vif_backend"] = f"kernel driver {kernel}" if kernel else tap_program(self.host, tap)
        facts["netback_loaded"] = loaded(self.host, "xen_netback")
        ports = self.host.run(f"ls /sys/class/net/{BRIDGE}/brif").out.split()
        facts["address"] = f"{setup.ADDRESS} on {BRIDGE}" if tap in ports else None
        self.say(
            f"{interface} has {setup.ADDRESS}, driven by {facts['vif_driver']}, served by "
            f"{facts['vif_backend']}"
        )
        ping = guest.run(f"ping -c 3 -i 0.2 -W 5 {DOM0_ADDRESS}", timeout=60, check=False)
        facts["ping"] = _last(ping.out)
        begun = time.monotonic()
        sent = guest.run(f"traffic send {DOM0_ADDRESS} --bytes 4M", timeout=120, check=False)
        facts["tcp_seconds"] = round(time.monotonic() - begun, 1)
        facts["tcp_transfer"] = _last(sent.out or sent.err)
        self.say(f"ping: {facts['ping']}")
        self.say(f"4 MiB over TCP in {facts['tcp_seconds']} s, sums compared")
        self.expect(facts["address"], f"{tap} is not on {BRIDGE}: {ports}")
        self.expect(ping.rc == 0, f"ping: {facts['ping']}")
        self.expect(sent.rc == 0, f"the TCP transfer: {facts['tcp_transfer']}")
        self.expect(
            facts["vif_driver"] == OURS[1], f"the interface's driver is {facts['vif_driver']}"
        )
        self.expect(
            facts["vif_backend"] == "xenpv-backendd", f"{facts['vif_backend']} serves the interface"
        )
        self.expect(not facts["netback_loaded"], "xen-netback is loaded")

    def _as_the_host_sees_it(self, guest):
        facts, address = self.facts, "attr/vif/0/ipv4/0"
        self.env.await_(lambda: self._reads(guest, "data/updated"), "the agent's data/updated", 120)
        self.env.await_(
            lambda: self._reads(guest, address) == setup.ADDRESS, f"{address} = {setup.ADDRESS}", 60
        )
        home = f"/local/domain/{guest.domid}"
        nodes = self.host.run(f"xenstore-ls -f {home}").out.splitlines()
        words = ("data", "attr", "drivers", "feature")
        written = [line.removeprefix(f"{home}/") for line in nodes]
        written = [line for line in written if line.split("/")[0] in words]
        written = [line for line in written if not line.startswith("data/lab")]
        shown = json.loads(self.host.run(f"xenpv show {guest.name} --json").out)
        volume = self._reads(guest, f"data/xenpv/device/vbd/{XVDA}/0")
        facts["agent"] = self._reads(guest, "attr/PVAddons/MajorVersion")
        facts["agent_paths"] = len(written)
        facts["agent_report"] = written
        facts["as_the_host_sees_it"] = shown
        facts["host_sees_address"] = self._reads(guest, address)
        facts["host_sees_root"] = volume
        self.say(f"the host reads {len(written)} paths: address {facts['host_sees_address']}")
        self.say(f"and of the root: {volume}")
        self.expect("label=xenpv-guest" in (volume or ""), f"the host sees of the root: {volume}")

    def _time(self, guest):
        offset = self._reads(guest, "data/xenpv/time/host-offset")
        self.facts["time_source"] = self._reads(guest, "data/xenpv/time/source")
        self.facts["time_offset_ms"] = round(float(offset) * 1000, 3) if offset else None
        self.say(f"the guest's clock is {self.facts['time_offset_ms']} ms ahead of the host's")
        self.expect(offset and abs(float(offset)) < 1, f"offset to the host's clock: {offset} s")

    def _balloon(self, guest):
        facts = self.facts
        # Loaded late in the boot, for nothing waits for it.
        mode = "data/xenpv/balloon/mode"
        self.env.await_(lambda: self._reads(guest, mode), mode, 60)
        facts["balloon_mode"] = self._reads(guest, mode)
        facts["balloon"] = [self._memory(guest, megabytes) for megabytes in (SMALLER, MEMORY)]
        steps = ", ".join(f"{s['xen_mib']} MiB after {s['seconds']} s" for s in facts["balloon"])
        self.say(f"xl mem-set, mode {facts['balloon_mode']}: {steps}")
        self.expect(facts["balloon_mode"] in ("policy", "engine"), "no balloon of ours")

    def _memory(self, guest, megabytes):
        """xl mem-set, and what becomes of it."""
        begun = time.monotonic()
        self.host.run(f"xl mem-set {guest.domid} {megabytes}m")
        # Read in this order: they are written at once, but a state read first may be older.
        goal = {"goal": str(megabytes * 1024), "state": "idle"}
        self.env.await_(
            lambda: goal == {n: self._reads(guest, f"data/xenpv/balloon/{n}") for n in goal},
            f"{megabytes} MiB",
            120,
        )
        seconds = round(time.monotonic() - begun, 1)
        counted = int(self.host.run(f"xl list {guest.domid} | tail -n 1").out.split()[2])
        self.expect(abs(counted - megabytes) <= 1, f"Xen counts {counted}, not {megabytes} MiB")
        return {"target_mib": megabytes, "xen_mib": counted, "seconds": seconds}

    def _shutdown(self, guest):
        facts = self.facts
        state = "data/xenpv/shutdown/state"
        self.env.await_(lambda: self._reads(guest, state) == "running", f"{state} = running", 60)
        command = f"xenpv shutdown {guest.name} --wait --timeout 300"
        self.say(command)
        asked = self.host.run(command, timeout=120, check=False)
        if asked.rc == 0:
            guest.gone()
        facts["shutdown_progress"] = (asked.out + asked.err).splitlines()
        held = list(dict.fromkeys(re.findall(r"held up by (\S+)", asked.out)))
        ended = re.search(r"stopped \((\d+) s\)", asked.out)
        facts["shutdown_held_by"] = ", ".join(held)
        facts["shutdown_seconds"] = int(ended[1]) if ended else None
        for line in facts["shutdown_progress"]:
            self.say(line)
        device = shlex.quote(self.root.path)
        fsck = self.host.run(f"e2fsck -fn {device} 2>&1", check=False, timeout=120)
        header = self.host.run(f"dumpe2fs -h {device} 2>/dev/null").out
        console = self.host.run(f"cat {guest.console}", check=False).out
        recovery = "needs_recovery" in header or "recover" in fsck.out
        errors = re.findall(r".*(?:I/O error|EXT4-fs error).*", console)
        facts["e2fsck"] = fsck.out.strip()
        facts["shutdown_clean"] = asked.rc == 0 and fsck.rc == 0 and not recovery and not errors
        self.say(f"e2fsck: {_last(fsck.out)}")
        self.expect(asked.rc == 0, f"xenpv shutdown ended with {asked.rc}: {_last(asked.err)}")
        self.expect(
            "slow-database.service" in held, f"held up by {held}, not by slow-database.service"
        )
        self.expect(fsck.rc == 0, f"e2fsck -fn ended with {fsck.rc}: {_last(fsck.out)}")
        self.expect(not recovery, "the journal needs recovery")
        self.expect(not errors, f"the console shows {errors[:1]}")


def _last(text):
    return (text.strip().splitlines() or [""])[-1]
