# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: Debian guests boot from their VBD, use the network, and are shut down by the host.

Everything in the report is measured: what drives a device is read from sysfs in the
guest, what serves it from the processes in dom0 that hold its image or tap open.
"""

import argparse
import json
import os
import re
import shlex
import signal
import sys
import time
from types import SimpleNamespace

import harness
from harness import CaseFailed, Disk, Nic
from harness.cases import Case

from .bench import Bench
from .channel import ChannelError
from .images.cache import ROOT
from .load import fio
from .machine import MachineError
from .report import write_report

XVDA = 51712
BRIDGE = "xenbr0"
DOM0_ADDRESS = "192.168.77.1"
GUEST_ADDRESSES = {"pvh": "192.168.77.10", "pv": "192.168.77.11", "hvm": "192.168.77.12"}
OUT = ROOT / "build/report"


class Clock:
    """Prints each step with the time since `make demo` began, and remembers it."""

    def __init__(self):
        self._start = float(os.environ.get("DEMO_START", time.time()))
        self.steps = []

    def elapsed(self):
        return round(time.time() - self._start, 1)

    def say(self, text):
        self.steps.append({"at": self.elapsed(), "text": text})
        minutes, seconds = divmod(int(self.elapsed()), 60)
        print(f"[{minutes:02d}:{seconds:02d}] {text}", flush=True)


def kernel_backend(host, domid, device=f"vbd-{{}}-{XVDA}"):
    """The kernel driver that has the guest's device, or None."""
    link = f"/sys/bus/xen-backend/devices/{device.format(domid)}/driver"
    result = host.run(f"readlink {link}", check=False)
    return os.path.basename(result.out.strip()) if result.rc == 0 else None


def serving_program(host, path):
    """The program that holds the disk open in dom0."""
    return _programs(host, f"find /proc/[0-9]*/fd -lname {shlex.quote(path)} 2>/dev/null")


def tap_program(host, tap):
    """The program that has the tap: its descriptors name it in their fdinfo."""
    found = f"grep -l '^iff:[[:space:]]*{tap}$' /proc/[0-9]*/fdinfo/* 2>/dev/null"
    return _programs(host, found)


def _programs(host, found):
    """Names of the programs whose files in /proc the command found prints.

    A worker answers for its parent.
    """
    script = f"""
{found} | cut -d/ -f3 | sort -u |
while read -r pid; do
	name=$(basename "$(readlink "/proc/$pid/exe")")
	if [ "$name" = xenpv-worker ]; then
		pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
		name=$(basename "$(readlink "/proc/$pid/exe")")
	fi
	echo "$name"
done | sort -u"""
    return ", ".join(host.run(script).out.split()) or None


class GuestDemo:
    """One guest type, from `xl create` to the check of its root file system."""

    def __init__(self, env, kind, clock):
        self.env = env
        self.host = env.host
        self.kind = kind
        self.say = lambda text: clock.say(f"{kind}: {text}")
        self.facts = {"guest_type": kind}
        self.trouble = []

    def expect(self, good, what):
        """Note a disappointment and go on, so that the report shows all of them."""
        if not good:
            self.say(f"NOT AS EXPECTED: {what}")
            self.trouble.append(f"{self.kind}: {what}")

    def run(self):
        data = self.env.image("64M", f"data-{self.kind}")
        self.say("xl create: root on /dev/vdc, data on an image file")
        guest = self.env.guest(
            disks=[Disk("/dev/vdc", "xvda"), data.disk("xvdb")],
            nics=[Nic(BRIDGE)],
            image="debian",
            kind=self.kind,
        )
        self.facts["xl_config"] = self.host.read(f"{self.env.folder}/{guest.name}.cfg").decode()
        self.facts["boot_seconds"] = round(guest.boot_seconds, 1)
        self.say(f"the guest answers after {guest.boot_seconds:.1f} s")
        self._look_inside(guest)
        self._look_at_host(guest)
        self._io(guest)
        self._network(guest)
        self._agent(guest)
        self._shutdown(guest)

    def _look_inside(self, guest):
        command = (
            "uname -r; findmnt -no SOURCE /; findmnt -no LABEL /; findmnt -no FSTYPE /; "
            f"basename $(readlink /sys/bus/xen/devices/vbd-{XVDA}/driver); "
            "systemd-detect-virt; sed -n 's/^PRETTY_NAME=//p' /etc/os-release; cat /proc/cmdline"
        )
        keys = "guest_kernel root_device root_label root_fstype vbd_driver virt os cmdline".split()
        lines = guest.run(command).out.splitlines()
        self.facts.update(zip(keys, (line.strip().strip('"') for line in lines)))
        facts = self.facts
        self.say(
            f"{facts['os']}, Linux {facts['guest_kernel']}, root LABEL={facts['root_label']} on "
            f"{facts['root_device']}, driven by {facts['vbd_driver']}"
        )
        self.expect(facts["root_device"] == "/dev/xvda", f"root is on {facts['root_device']}")
        self.expect(facts["vbd_driver"] == "xen-vbd", f"the disk's driver is {facts['vbd_driver']}")

    def _look_at_host(self, guest):
        driver = kernel_backend(self.host, guest.domid)
        holder = serving_program(self.host, "/dev/vdc")
        self.facts["vbd_backend"] = f"kernel driver {driver}" if driver else holder
        self.facts["kernel_backend_loaded"] = (
            self.host.run("grep -q '^xen_blkback ' /proc/modules", check=False).rc == 0
        )
        self.say(f"served by {self.facts['vbd_backend']}")
        self.expect(
            self.facts["vbd_backend"] == "xenpv-backendd", f"{self.facts['vbd_backend']} serves it"
        )
        self.expect(not self.facts["kernel_backend_loaded"], "xen-blkback is loaded")

    def _io(self, guest):
        begun = time.monotonic()
        guest.run(fio("xvdb", size="4M"), timeout=120)
        guest.run(
            "dd if=/dev/urandom of=/root/file bs=64k count=64 conv=fsync 2>/dev/null && "
            "md5sum /root/file >/root/sum && echo 3 >/proc/sys/vm/drop_caches && "
            "md5sum -c /root/sum",
            timeout=120,
        )
        self.facts["io_seconds"] = round(time.monotonic() - begun, 1)
        self.say("fio wrote and verified 4 MiB on xvdb; a file on / reads back right")

    def _network(self, guest):
        facts, address = self.facts, GUEST_ADDRESSES[self.kind]
        interface = guest.interface()
        guest.run(f"ip link set {interface} up && ip addr add {address}/24 dev {interface}")
        driver = guest.run("basename $(readlink /sys/bus/xen/devices/vif-0/driver)").out.strip()
        tap = f"vif{guest.domid}.0"
        kernel = kernel_backend(self.host, guest.domid, "vif-{}-0")
        facts["vif_driver"] = driver
        facts["vif_backend"] = f"kernel driver {kernel}" if kernel else tap_program(self.host, tap)
        facts["netback_loaded"] = (
            self.host.run("grep -q '^xen_netback ' /proc/modules", check=False).rc == 0
        )
        ports = self.host.run(f"ls /sys/class/net/{BRIDGE}/brif").out.split()
        facts["address"] = f"{address} on {BRIDGE}" if tap in ports else None
        self.say(f"{interface} has {address}, driven by {driver}, served by {facts['vif_backend']}")
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
        self.expect(driver == "xen-vnif", f"the interface's driver is {driver}")
        self.expect(
            facts["vif_backend"] == "xenpv-backendd", f"{facts['vif_backend']} serves the interface"
        )
        self.expect(not facts["netback_loaded"], "xen-netback is loaded")

    def _agent(self, guest):
        home = f"/local/domain/{guest.domid}"
        state = f"{home}/data/xenpv/shutdown/state"
        self.env.await_(
            lambda: self.host.xs_read(state) == "running", f"the agent's {state} = running", 60
        )
        self.facts["agent"] = {
            "version": self.host.xs_read(f"{home}/attr/PVAddons/MajorVersion"),
            "os_name": self.host.xs_read(f"{home}/data/os_name"),
            "shutdown_state": "running",
        }
        self.say(f"the agent reports: {self.facts['agent']['os_name']}")

    def _shutdown(self, guest):
        home = f"/local/domain/{guest.domid}/data/xenpv/shutdown"
        watch = self.host.start(
            f"xenstore-watch {home} | while read -r path; do "
            'echo "$path=$(xenstore-read "$path" 2>/dev/null)"; done'
        )
        self.say("xl shutdown -w")
        begun = time.monotonic()
        try:
            guest.shutdown(timeout=60)
        finally:
            watch.kill()
        self.facts["shutdown_seconds"] = round(time.monotonic() - begun, 1)
        seen = [line.replace(f"{home}/", "") for line in watch.wait().out.splitlines()]
        self.facts["shutdown_reports"] = [line for line in seen if not line.endswith("=")]
        fsck = self.host.run("e2fsck -fn /dev/vdc 2>&1", check=False, timeout=120)
        header = self.host.run("dumpe2fs -h /dev/vdc 2>/dev/null").out
        console = self.host.run(f"cat {guest.console}", check=False).out
        recovery = "needs_recovery" in header or "recover" in fsck.out
        errors = re.findall(r".*(?:I/O error|EXT4-fs error).*", console)
        self.facts["e2fsck"] = fsck.out.strip()
        self.facts["shutdown_clean"] = fsck.rc == 0 and not recovery and not errors
        self.say(f"down after {self.facts['shutdown_seconds']} s; e2fsck: {_last(fsck.out)}")
        self.expect(fsck.rc == 0, f"e2fsck -fn ended with {fsck.rc}: {_last(fsck.out)}")
        self.expect(not recovery, "the journal needs recovery")
        self.expect(not errors, f"the console shows {errors[:1]}")


def _last(text):
    return (text.strip().splitlines() or [""])[-1]


def make_bridge(host):
    """The manual's first shape on a NIC of dom0, by the command an administrator uses."""
    host.run(
        "modprobe -a dummy bridge veth && ip link add eth0 type dummy && ip link set eth0 up && "
        f"ip addr add {DOM0_ADDRESS}/24 dev eth0"
    )
    host.run(f"xenpv bridge create {BRIDGE} --netdev eth0", timeout=120)
    return host.start("/lab/bin/traffic serve", timeout=3600)


def _demonstrate(kinds, clock, report):
    case = Case(
        name="demo",
        function=_demonstrate,
        file=None,
        benches=("lab",),
        guests=tuple(kinds),
        more_guests=(),
        frontend=("xen-vbd",),
        backend="xenpv-backendd",
        kernels=(),
        timeout=1800,
        options={"image": "debian", "scripts": "stock"},
    )
    bench = Bench(SimpleNamespace(keep=True))
    trouble = []
    try:
        bench.start([case])
        for kind in kinds:
            env = bench.open(case, kind, ROOT / "build/lab/demo" / kind)
            if "xen_version" not in report:
                info = env.host.run("xl info; uname -r").out
                report["xen_version"] = re.search(r"xen_version\s*: (\S+)", info)[1]
                report["dom0_kernel"] = info.split()[-1]
                report["dom0_start_seconds"] = round(bench.machine.boot_seconds, 1)
                report["dom0_from_snapshot"] = bench.machine.from_snapshot
                clock.say(f"Xen {report['xen_version']}, dom0 {report['dom0_kernel']} is up")
            if env.host.run(f"test -e /sys/class/net/{BRIDGE}", check=False).rc:
                make_bridge(env.host)
                clock.say(f"xenpv bridge create {BRIDGE}: dom0 and its NIC are on it")
            demo = GuestDemo(env, kind, clock)
            try:
                demo.run()
            except (CaseFailed, ChannelError) as error:
                demo.trouble.append(f"{kind}: {error}")
            trouble += demo.trouble
            trouble += [f"{kind}: in the logs: {c}" for c in bench.close(env, bool(demo.trouble))]
            report["guests"].append(demo.facts)
    finally:
        bench.stop()
    return trouble


def main():
    parser = argparse.ArgumentParser(prog="tests/lab/demo", description=__doc__)
    parser.add_argument("guest", nargs="*", help="guest types (default: pvh pv)")
    kinds = parser.parse_args().guest or ["pvh", "pv"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clock = Clock()
    report = {"guests": []}
    try:
        trouble = _demonstrate(kinds, clock, report)
    except (CaseFailed, harness.CaseSkipped, ChannelError, MachineError, RuntimeError) as error:
        trouble = [str(error)]
    except KeyboardInterrupt:
        trouble = ["interrupted"]
    # The first guest's figures stand at the top, all of them in "guests".
    summary = dict(report["guests"][0]) if report["guests"] else {}
    summary.update(report)
    summary["shutdown_clean"] = bool(report["guests"]) and all(
        guest.get("shutdown_clean") for guest in report["guests"]
    )
    summary["passed"] = not trouble
    summary["trouble"] = trouble
    summary["timeline"] = clock.steps
    summary["elapsed_seconds"] = clock.elapsed()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "demo.json").write_text(json.dumps(summary, indent=1) + "\n")
    write_report(summary, OUT / "demo.html")
    print(f"report: {OUT.relative_to(ROOT)}/demo.json, {OUT.relative_to(ROOT)}/demo.html")
    if trouble:
        print(f"demo: FAILED: {'; '.join(' '.join(t.split()) for t in trouble)}")
        return 1
    print("demo: PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
