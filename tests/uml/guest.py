# SPDX-License-Identifier: GPL-2.0-or-later
"""User Mode Linux guests: domains of the hub that are processes of this machine."""

import os
import time

import harness
from harness import CaseFailed, Result

from . import hub as hubs
from .console import Console
from .nics import Nics
from .process import Process
from .toolstack import ToolstackError, devid

MEMORY = {"plain": 128, "debug": 256}
BOOT_LIMIT = 60

# Modules of each frontend or other driver, below build/uml/<kernel>-modules.
FRONTENDS = {
    "xen-vbd": ["core/xenpv-core.ko", "xen-vbd/xen-vbd.ko"],
    "xen-blkfront": ["shim/xen-blkfront.ko"],
    "xen-vnif": ["core/xenpv-core.ko", "xen-vnif/xen-vnif.ko"],
    "xen-netfront": ["shim/xen-netfront.ko"],
    "xen-balloon": ["core/xenpv-core.ko", "balloon/xen-balloon.ko"],
    "builtin-balloon": ["shim/xen-builtin-balloon.ko"],
    "xenpv-core": ["core/xenpv-core.ko"],
    "xen-ptp": ["ptp/xen-ptp.ko"],
    "none": [],
}


class Guest(Nics, harness.Guest):
    """One domain. After save_restore() the process is the same, .domid is another."""

    kind = "uml"

    def __init__(self, env, name):
        self._env = env
        self.name = name
        self.domid = 0
        self.running = False
        self.console = None
        self._process = None
        self._kernel = None
        self._modules = set()
        self.nic_options = {}
        self.serving = None  # netload's server in here
        self.log = env.logs / f"guest-{name}.log"

    def boot(self, kernel, memory, frontend, disks, parameters, shim=True, nics=()):
        """
        Start the kernel, become a domain, load the frontend.

        @parameters: module parameters by module name, e.g. {"xen-vbd": "max_queues=1"}
        @nics: as attach_nic() takes them; they get handles 0, 1, ...
        """
        env = self._env
        self.domid, socket_fd = env.hub.create()
        self.console = Console()
        memory = memory or MEMORY[kernel]
        self._process = Process(
            [
                str(env.build / kernel / "linux"),
                f"mem={memory}M",
                f"initrd={env.build}/initramfs.cpio.gz",
                "con0=null,fd:1",
                f"con1=fd:{self.console.fd}",
                "con=null",
                "ssl=null",
                f"umid={env.tag}-{self.name}",
                f"uml_dir={env.scratch}/uml/",
                "panic=-1",
                "quiet",
                f"bench_out={env.scratch}",
                f"bench_bin={env.build}/bin",
            ],
            self.log,
            env={**env.environ, "TMPDIR": env.memory_dir},
            pass_fds=(self.console.fd, socket_fd),
        )
        os.close(socket_fd)
        self.running = True
        self.console.started()
        if not self.console.wait_ready(env.scaled(BOOT_LIMIT)):
            raise CaseFailed(f"{self.name} did not boot: {self._tail()}")
        if not shim:
            return
        loading = self.console.insmod(
            env.module(kernel, "shim/xenshim.ko"), f"hub_fd={socket_fd} mem_ram={memory * 256}"
        )
        self._build(disks, dict(enumerate(nics)))
        self._loaded(loading)
        self._kernel = kernel
        self.load(frontend, parameters)
        for disk in disks:
            self._wait_for(disk.vdev, 30)
        for number in range(len(nics)):
            self.await_nic(number)

    def load(self, frontend, parameters=None):
        """Load a frontend's modules, with what boot() says of parameters."""
        for module in FRONTENDS[frontend]:
            if module in self._modules:
                continue
            self._modules.add(module)
            name = os.path.basename(module)[: -len(".ko")]
            path = self._env.module(self._kernel, module)
            self._loaded(self.console.insmod(path, (parameters or {}).get(name, "")))

    def _build(self, disks, nics):
        """What xl create does between the domain's making and its first instruction."""
        env = self._env
        info = env.hub.wait(self.domid, hubs.REGISTERED | hubs.DEAD, env.scaled(BOOT_LIMIT))
        if info is None or info.flags & hubs.DEAD:
            raise CaseFailed(f"{self.name} did not become a domain: {self._tail()}")
        # Tens of transactions at a time would only make each other start again.
        with env.toolstack_lock:
            env.toolstack.create(self.domid, self.name, info.store_gfn, info.store_port)
            for disk in disks:
                env.toolstack.check_target(disk)
                env.toolstack.disk_nodes(self.domid, disk)
            for number, nic in nics.items():
                self.nic_nodes(number, nic)
        for disk in disks:
            env.toolstack.finish_attach(self.domid, disk)
        for number in nics:
            env.toolstack.finish_attach_vif(self.domid, number)
        env.hub.unpause(self.domid)

    def _loaded(self, pending):
        result = pending.wait(self._env.scaled(30))
        if result.rc:
            why = os.strerror(-result.rc)
            raise CaseFailed(f"{self.name}: {pending.what}: {why}: {self._tail()}")

    def _tail(self):
        lines = self._process.text().strip().splitlines()[-6:] if self._process else []
        return " / ".join(lines) or "it printed nothing"

    def _wait_for(self, vdev, timeout, present=True):
        word = "" if present else "to be gone "
        self._env.await_(
            lambda: (self.console.read(f"/sys/class/block/{vdev}/size") is not None) == present,
            f"/dev/{vdev} {word}in {self.name}",
            timeout,
        )

    def start(self, command):
        return self.console.run(command)

    def run(self, command, timeout=60, check=True):
        result = self.console.run(command).wait(self._env.scaled(timeout))
        if check and result.rc:
            raise CaseFailed(
                f"{self.name}: {command!r} ended with {result.rc}: "
                f"{(result.err or result.out).strip()[-500:]}"
            )
        return result

    def read(self, path):
        """A file of the guest as text, or None; quicker than a command."""
        return self.console.read(path, self._env.scaled(20))

    def write(self, path, text):
        """Into a file of the guest that is there already."""
        rc = self.console.write(path, text).wait(self._env.scaled(20)).rc
        if rc:
            raise CaseFailed(f"{self.name}: write {path}: {os.strerror(-rc)}")

    def attach(self, disk, timeout=30, check=True):
        try:
            self._env.toolstack.attach(self.domid, disk)
        except ToolstackError as error:
            if check:
                raise CaseFailed(f"attach failed: {error}") from error
            return Result(1, "", f"{error}\n")
        if check:
            self._wait_for(disk.vdev, timeout)
        return Result(0, "")

    def detach(self, vdev, timeout=30, check=True):
        in_time = self._env.toolstack.detach(self.domid, vdev)
        if check and not in_time:
            raise CaseFailed(f"detach of {vdev}: the backend did not close in time")
        if check:
            self._wait_for(vdev, timeout, present=False)
            self.await_device_gone(vdev, timeout)
        return Result(0 if in_time else 1, "")

    def await_device_gone(self, vdev, timeout=20):
        """
        Wait until the driver has let go of the device of a disk. Until then it, and xenbus
        itself, may still write to xenstore, and an attach would be taken for the old device;
        xl takes too long over its scripts for this to happen to it. Of all that sysfs has of a
        device only the directory stays until the driver's remove() is over.
        """
        kind = "vif" if vdev.startswith("vif") else "vbd"
        node = f"/sys/devices/{kind}-{devid(vdev)}"
        self._env.await_(
            lambda: not self.console.exists(node, self._env.scaled(20)),
            f"the device of {vdev} to go from {self.name}",
            timeout,
        )

    def backend_path(self, vdev):
        """The xenstore directory of the disk's backend."""
        return self._env.toolstack.paths(self.domid, vdev)[0]

    def sectors(self, vdev):
        text = self.read(f"/sys/class/block/{vdev}/size")
        if text is None:
            raise CaseFailed(f"{self.name} has no {vdev}")
        return int(text)

    def grants(self):
        info = self._env.hub.info(self.domid)
        return info.pinned if info else 0

    def stats(self):
        """Counters of hypercall-like operations, see hub.STAT_NAMES."""
        return self._env.hub.stats(self.domid)

    def dmesg(self):
        return self.run("dmesg").out

    def save_dmesg(self, timeout):
        """For whoever looks for what went wrong: the guest may not answer any more."""
        try:
            text = self.console.run("dmesg").wait(timeout).out
        except CaseFailed:
            return
        (self._env.logs / f"dmesg-{self.name}.log").write_text(text)

    def memory(self):
        """Resident memory of the guest's process in bytes."""
        with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def _gone(self):
        self.running = False
        self.console.close()

    def shutdown(self, timeout=60):
        """xl shutdown -w; the domain is destroyed when it has powered off."""
        env = self._env
        env.toolstack.request_shutdown(self.domid, "poweroff")
        info = env.hub.wait(self.domid, hubs.SHUTDOWN | hubs.DEAD, env.scaled(timeout))
        if info is None:
            raise CaseFailed(f"{self.name} did not shut down within {timeout} s")
        if not info.flags & hubs.SHUTDOWN or info.reason != hubs.POWEROFF:
            raise CaseFailed(f"{self.name} ended without powering off")
        if self._process.wait(env.scaled(timeout)) is None:
            raise CaseFailed(f"{self.name} powered off but its process runs")
        self._gone()
        env.toolstack.destroy_nodes(self.domid)

    def kill(self):
        """The domain ends at once, and the toolstack has not noticed yet."""
        self._process.kill()
        self._gone()

    def destroy(self):
        if self.running:
            self.kill()
        late = self._env.toolstack.destroy_nodes(self.domid)
        if late:
            raise CaseFailed(f"the backend did not close {' '.join(late)} of {self.name} in time")

    def save_restore(self, timeout=120):
        """
        Suspend, and go on as another domain with the same disks. As between xl save and
        xl restore, the old domain's backends are gone before the new one starts.
        """
        env = self._env
        disks = [env.disk_of(self.domid, vdev) for vdev in env.toolstack.disks(self.domid)]
        nics = dict(self.nic_options)
        old = self.domid
        env.toolstack.request_shutdown(old, "suspend")
        info = env.hub.wait(old, hubs.SHUTDOWN | hubs.DEAD, env.scaled(timeout))
        if info is None or info.flags & hubs.DEAD or info.reason != hubs.SUSPEND:
            raise CaseFailed(f"{self.name} did not suspend: {self._tail()}")
        late = env.toolstack.destroy_nodes(old)
        if late:
            raise CaseFailed(f"the backend did not close {' '.join(late)} of {self.name} in time")
        # xenstored lets go of its ring when it has heard of the end.
        end = time.monotonic() + env.scaled(10)
        while True:
            try:
                self.domid = env.hub.resume(old)
                break
            except hubs.HubError as error:
                if error.errno != 16 or time.monotonic() > end:  # EBUSY
                    raise CaseFailed(f"{self.name} cannot resume: {error}") from error
                time.sleep(0.005)
        self._build(disks, nics)
        self.run("true", timeout)
