# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench on real Xen (tests/harness/bench.py), emulated by QEMU. See docs/lab.md."""

import os
import re
import shutil
import time
from pathlib import Path

import harness
from harness import CaseFailed
from harness.bench import Bench as BaseBench
from harness.logscan import scan

from .channel import ChannelError
from .guest import Guest
from .host import IMAGES, Backend, Host, Image, Overlay
from .images import debian, payload, stock
from .images.cache import BUILD
from .machine import GUEST_DISK_SIZE, PAYLOAD_SIZE, Machine, MachineError
from .network import Network

# An emulated machine is some ten times slower than a real one, and this one shares
# its processors with whatever else runs here.
TIME_SCALE = 4.0

# Run cases with the stock driver or backend, to tell a fault of the lab or of a case
# from one of ours. The results are then no results about xenpv.
FORCED_FRONTEND = os.environ.get("LAB_FRONTEND")
FORCED_BACKEND = os.environ.get("LAB_BACKEND")

# libxl's hotplug scripts, and the lab's quick ones that stand in for them, see hotplug/.
SCRIPTS = {
    "/etc/xen/scripts/block": "/etc/xen/scripts/block-fast",
    "/etc/xen/scripts/vif-bridge": "/etc/xen/scripts/vif-fast",
}

# A guest's program (code segment 0x33) that ends in a triple fault: no program can do that.
USER_FAULT = re.compile(r"Triple fault(?:.*\n){1,6}?.*RIP: +0033:")


def bind_scripts():
    """A command for dom0 that puts the quick hotplug scripts in place."""
    return " && ".join(f"mount --bind {quick} {stock}" for stock, quick in SCRIPTS.items())


class Env(harness.Env):
    """What a case works with; everything it makes has the case's number in its name."""

    time_scale = TIME_SCALE

    def __init__(self, bench, case, variant, logs):
        self._bench = bench
        self._case = case
        self.kind, _, frontend = variant.partition("/")
        self.frontend = FORCED_FRONTEND or frontend or case.frontend[0]
        self.suite = case.options.get("suite", "")
        self.logs = Path(logs)
        self.notes = {}
        self.allowed = []
        self.guests = []
        self.networks = []
        self.overlays = []
        self.number = bench.next_number()
        self.folder = f"{IMAGES}/{self.number}"
        self.aborted = False
        self.host = bench.host
        self.backend = bench.backend
        self._console_start = bench.machine.console.stat().st_size
        # What stands in the logs before this line is not this case's doing.
        self.marker = f"lab: case {self.number} begins"
        self.host.run(f"mkdir -p {self.folder}; echo '{self.marker}' >/dev/kmsg")
        self._stock_scripts = case.options.get("scripts") == "stock"
        if self._stock_scripts:
            self.host.run(f"umount {' '.join(SCRIPTS)}")

    def abort(self):
        self.aborted = True
        self._bench.kill_machine()

    def image(self, size, name=None, content=None):
        name = name or f"disk{len(self.guests)}-{time.monotonic_ns()}"
        return Image(self.host, f"{self.folder}/{name}.img", size, content)

    def overlay(self, device):
        """A block device of dom0 with the content of another, which stays as it is."""
        name = f"overlay{self.number}-{len(self.overlays)}"
        self.overlays.append(Overlay(self.host, device, name, self.folder))
        return self.overlays[-1]

    def network(self, name="xenbr0"):
        """A bridge in dom0 with IPv4 and IPv6 addresses, gone after the case."""
        self.networks.append(Network(self.host, name, len(self.networks)))
        return self.networks[-1]

    def guest(self, disks=(), vcpus=1, memory=None, **options):
        """options: frontend, kind; image ("tiny", "debian" or "stock"), append, config."""
        kind = options.pop("kind", self.kind)
        frontend = options.pop("frontend", self.frontend)
        if payload.frontend_modules(frontend) is None:
            raise CaseFailed(f"{frontend} is not built (make modules)")
        if self.suite and frontend not in payload.OURS:
            raise CaseFailed(f"guests on the kernel of {self.suite} have no {frontend}")
        name = f"case{self.number}-{len(self.guests)}"
        guest = Guest(self, name, kind, frontend, TIME_SCALE, self.suite)
        self.guests.append(guest)
        guest.create(disks, vcpus, memory, **options)
        return guest

    def await_(self, condition, what, timeout=30):
        end = time.monotonic() + timeout * TIME_SCALE
        while not condition():
            if self.aborted:
                raise CaseFailed("the case took too long")
            if time.monotonic() > end:
                raise CaseFailed(f"waited {timeout * TIME_SCALE:g} s for {what}")
            time.sleep(0.1)

    def restore_scripts(self):
        """Undo @case(scripts="stock")."""
        if self._stock_scripts:
            self.host.run(bind_scripts())

    def xen_log(self):
        """Xen's and dom0's console since the case began."""
        with open(self._bench.machine.console, "rb") as stream:
            stream.seek(self._console_start)
            return stream.read().decode(errors="replace")

    def physical(self, address, size):
        """Bytes of the machine's memory, as Xen itself sees it."""
        return self._bench.machine.physical(address, size)

    def collect(self, full):
        """{name: text} of all logs; with full also what only a person wants to see."""
        logs = {"console": self.xen_log()}
        text = self.host.run("dmesg", check=False).out
        logs["dom0-dmesg"] = text.partition(self.marker)[2] if self.marker in text else text
        if self.backend.kind == "xenpv-backendd":
            logs["backendd"] = self.backend.log()
        for guest in self.guests:
            logs[f"{guest.name}-console"] = self.host.run(
                f"cat {guest.console}", check=False
            ).out
            if guest.running:
                # A crashed guest does not answer: its console says why.
                try:
                    result = guest.run("dmesg", timeout=5, check=False)
                    logs[f"{guest.name}-dmesg"] = result.out
                    if guest.backend:
                        logs[f"{guest.name}-backendd"] = guest.backend.log()
                except (CaseFailed, ChannelError) as error:
                    logs[f"{guest.name}-dmesg"] = f"{error}\n"
        if full:
            logs["xenstore"] = self.host.run("xenstore-ls -f", check=False).out
            logs["xl-list"] = self.host.run("xl list -v; losetup -a", check=False).out
            logs["journal"] = self.host.run("journalctl -n 2000 --no-pager", check=False).out
        return logs


class Bench(BaseBench):
    """One machine serves many cases; a failed case, or another backend, gets a new one."""

    name = "lab"
    parallel = 1
    time_scale = TIME_SCALE

    def __init__(self, options):
        super().__init__(options)
        self.machine = None
        self.host = None
        self.backend = None
        # Suites whose kernel a case asks for, and what is missing for that.
        self._lacks = {}
        self._number = 0
        # Two suites may run beside each other.
        self._folder = BUILD / "-".join(filter(None, ("machine", getattr(options, "suite", None))))
        self._payload = self._folder / "payload.raw"
        # The Debian guest's, and that of the one without our drivers.
        self._guest_disks = [self._folder / "guest.raw", self._folder / "stock.raw"]

    def next_number(self):
        self._number += 1
        return self._number

    def variants(self, case):
        kinds = case.guests + case.more_guests
        if len(case.frontend) == 1:
            return list(kinds)
        return [f"{kind}/{frontend}" for kind in kinds for frontend in case.frontend]

    def start(self, cases):
        if not shutil.which("qemu-system-x86_64"):
            raise harness.CaseSkipped("qemu-system-x86_64 is not installed")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        wanted = {case.options.get("image") for case in cases}
        kinds = {kind for case in cases for kind in case.options.get("packages", "").split()}
        suites = sorted({case.options["suite"] for case in cases if "suite" in case.options})
        self._lacks = {suite: payload.lacks(suite) for suite in suites}
        there = [suite for suite in suites if not self._lacks[suite]]
        payload.build(self._payload, PAYLOAD_SIZE, wanted, sorted(kinds), there)
        for image, path in zip(("debian", "stock"), self._guest_disks):
            if image not in wanted:
                with open(path, "wb") as stream:
                    stream.truncate(GUEST_DISK_SIZE)
            elif image == "debian":
                path.symlink_to(debian.disk(payload.guest_modules()))
            else:
                path.symlink_to(stock.disk())

    def _machine_for(self, kind):
        """A machine that serves disks with this kind of backend."""
        if self.machine and self.machine.alive and self.backend.kind == kind:
            return
        self.kill_machine()
        self.machine = Machine(self._payload, self._guest_disks, self._folder)
        try:
            self.machine.start()
        except MachineError as error:
            raise CaseFailed(str(error)) from error
        self.host = Host(self.machine.channel, scale=TIME_SCALE)
        self.host.run(
            f"date -s @{time.time():.3f} >/dev/null && "
            "mkdir -p /lab && mount -o ro /dev/vdb /lab && "
            f"{bind_scripts()} && modprobe loop"
        )
        self.backend = Backend(self.host, kind)
        self.backend.start()

    def kill_machine(self):
        if self.machine:
            self.machine.stop()
            self.machine = None

    def open(self, case, variant, logs):
        lacks = self._lacks.get(case.options.get("suite"))
        if lacks:
            raise harness.CaseSkipped(lacks)
        try:
            self._machine_for(FORCED_BACKEND or case.backend)
            return Env(self, case, variant, logs)
        except ChannelError as error:
            self.kill_machine()
            raise CaseFailed(str(error)) from error
        except CaseFailed:
            self.kill_machine()
            raise

    def excuse(self, env):
        """The emulator's fault that guest.py tells of, later than at boot: in a program."""
        if self.machine is None or not USER_FAULT.search(env.xen_log()):
            return ""
        return "emulator_faults"

    def close(self, env, failed):
        complaints, logs = [], {}
        try:
            if self.machine is None or not self.machine.alive:
                raise CaseFailed("the machine is gone (time limit, or it crashed)")
            logs = env.collect(full=failed)
            for name, text in logs.items():
                complaints += [f"{name}: {line}" for line in scan(text, env.allowed)]
            complaints += self._clean(env)
            if complaints and not failed:
                logs = env.collect(full=True)
        except (CaseFailed, ChannelError) as error:
            complaints.append(str(error))
            logs.setdefault("console", env.xen_log() if self.machine else "")
        if failed or complaints or self.options.keep:
            self._keep(env, logs)
        if failed or complaints:
            self.kill_machine()
        return complaints

    def _clean(self, env):
        """Destroy what the case made; returns what did not go away."""
        # A later one may be served by an earlier one.
        for guest in reversed(env.guests):
            if guest.running:
                guest.destroy()
        env.restore_scripts()
        env.backend.restore_settings()
        complaints = []
        try:
            env.await_(lambda: not self._domains(), "domains to be gone", timeout=5)
        except CaseFailed:
            complaints.append(f"domains still there, grants mapped: {self._domains()}")
        home = "/local/domain/0/backend"
        listed = f"for kind in vbd vif; do xenstore-list {home}/$kind 2>/dev/null; done"
        nodes = self.host.run(listed, check=False).out.split()
        if nodes:
            complaints.append(f"backend nodes of dead domains are left: {' '.join(nodes)}")
        taps = self.host.run("ls -d /sys/class/net/vif[1-9]* 2>/dev/null", check=False).out.split()
        if taps:
            complaints.append(f"interfaces of dead domains are left: {' '.join(taps)}")
        for overlay in env.overlays:
            overlay.remove()
        self.host.run(f"rm -rf {env.folder}; losetup -D", check=False)
        for network in env.networks:
            network.remove()
        return complaints

    def _domains(self):
        lines = self.host.run("xl list").out.splitlines()[2:]
        return " ".join(line.split()[0] for line in lines)

    @staticmethod
    def _keep(env, logs):
        shutil.rmtree(env.logs, ignore_errors=True)
        env.logs.mkdir(parents=True)
        for name, text in logs.items():
            (env.logs / f"{name}.log").write_text(text)

    def stop(self):
        self.kill_machine()
        if not self.options.keep:
            for path in (self._payload, *self._guest_disks):
                path.unlink(missing_ok=True)
