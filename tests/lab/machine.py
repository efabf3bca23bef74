# SPDX-License-Identifier: GPL-2.0-or-later
"""One emulated machine that runs Xen: QEMU, its disks, consoles and snapshot."""

import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness.priority import go_first

from .channel import Channel, ChannelError
from .images import dom0, kernel
from .images.cache import cached, file_hash, lock, progress, run

# Each CPU flag that is missing crashes something under emulation: smap a PV
# kernel's first interrupt (QEMU reads the IRET frame as supervisor), xsave the
# FPU setup of PVH guests, rdtscp Xen's SVM instruction decoder. With erms and
# fsrm copies are single instructions that QEMU carries out byte by byte:
# everything that copies takes twice as long.
CPU = "max,-smap,-xsave,-rdtscp,-erms,-fsrm"
MEMORY = "2560M"
XEN_OPTIONS = "console=com1 com1=115200,8n1 bootscrub=0 loglvl=info guest_loglvl=info"
DOM0_OPTIONS = (
    "console=hvc0 quiet mitigations=off net.ifnames=0 random.trust_cpu=on systemd.show_status=0"
)

PAYLOAD_SIZE = 1 << 30
GUEST_DISK_SIZE = 3 << 30

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class MachineError(Exception):
    """The machine did not boot, or died."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _sweep():
    """Remove the scratch files of lab processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("xenpv-lab.*.*"):
        if not Path("/proc", folder.name.split(".")[1]).exists():
            shutil.rmtree(folder, ignore_errors=True)


class Machine:
    """A running lab machine.

    payload, guest_disks: raw images that dom0 sees as /dev/vdb, and /dev/vdc and /dev/vdd.
    logs: directory that gets console.log. lifetime: seconds after which QEMU is
    killed whatever happens. Not thread safe, but .channel is.
    """

    def __init__(self, payload, guest_disks, logs, dom0_vcpus=1, memory=1024, lifetime=7200):
        self._payload = payload
        self._guest_disks = guest_disks
        self._logs = Path(logs)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._vcpus = dom0_vcpus
        self._memory = memory
        self._lifetime = lifetime
        self._qmp_file = None
        self._process = None
        self._keeper = None
        self._folder = None
        self.channel = None
        self.boot_seconds = None
        self.from_snapshot = False

    @property
    def console(self):
        """The log of Xen's and dom0's console."""
        return self._logs / "console.log"

    @property
    def console_socket(self):
        return self._folder / "console"

    def start(self, snapshot=True):
        """Boot to the point where labd in dom0 answers. With snapshot, use or make one."""
        atexit.register(self.stop)
        begun = time.monotonic()
        saved = self._snapshot_folder() if snapshot else None
        if saved and (saved / "state").exists():
            try:
                self._launch(saved / "dom0.qcow2", saved / "state")
                self.channel.hello(0, 60)
                self.from_snapshot = True
            except (ChannelError, MachineError) as error:
                progress(f"the snapshot does not resume ({error}); booting")
                self.stop()
                (saved / "state").unlink()
        if not self.from_snapshot:
            self._launch(dom0.disk(), None)
            self._await_boot(240)
        self.boot_seconds = time.monotonic() - begun
        how = "from its snapshot" if self.from_snapshot else "booted"
        progress(f"dom0 {how} in {self.boot_seconds:.1f} s")
        if saved and not self.from_snapshot:
            self._save(saved)

    def _await_boot(self, timeout):
        try:
            self.channel.hello(0, timeout)
        except ChannelError as error:
            tail = self.console.read_text(errors="replace").splitlines()[-15:]
            raise MachineError(
                f"dom0 did not boot within {timeout} s: {error}; its console ({self.console}) "
                "ends with:\n" + "\n".join(tail)
            ) from error

    def stop(self):
        """Kill QEMU and remove its scratch files."""
        atexit.unregister(self.stop)
        if self.channel:
            self.channel.close()
            self.channel = None
        if self._process:
            self._process.kill()
            self._process.wait()
            self._keeper.join()
            self._process = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    def _command(self):
        folder = self._folder
        dom0_line = f"{kernel.installed().vmlinux()} {DOM0_OPTIONS}"
        xen_line = (
            f"{XEN_OPTIONS} dom0_mem={self._memory}M,max:{self._memory}M "
            f"dom0_max_vcpus={self._vcpus}"
        )
        drives = [(folder / "dom0.qcow2", "qcow2", "unsafe", "off")]
        drives += [(self._payload, "raw", "writeback", "on")]
        for number in range(len(self._guest_disks)):
            drives += [(folder / f"guest{number}.qcow2", "qcow2", "unsafe", "off")]
        arguments = [
            "qemu-system-x86_64", "-name", "xenpv-lab", "-machine", "q35",
            "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", str(max(2, self._vcpus)),
            "-m", MEMORY, "-display", "none", "-no-reboot", "-nodefaults", "-no-user-config",
            "-kernel", str(kernel.xen()), "-append", xen_line,
            "-initrd", f"{dom0_line},{dom0.initramfs()}",
            "-chardev", f"socket,id=console,path={folder}/console,server=on,wait=off,"
            f"logfile={self.console},logappend=off",
            "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=lab,path={folder}/lab,server=on,wait=off",
            "-device", "virtserialport,chardev=lab,name=lab",
            "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
        ]  # fmt: skip
        for path, kind, cache, read_only in drives:
            arguments += [
                "-drive", f"file={path},format={kind},if=virtio,cache={cache},"
                f"readonly={read_only},discard=unmap,file.locking=off",
            ]  # fmt: skip
        return arguments

    def _launch(self, base, state):
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=f"xenpv-lab.{os.getpid()}."))
        overlays = [("dom0.qcow2", base, "qcow2")]
        for number, below in enumerate(self._guest_disks):
            overlays.append((f"guest{number}.qcow2", below, "raw"))
        for name, below, kind in overlays:
            run("qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", below,
                self._folder / name)  # fmt: skip
        arguments = self._command()
        if state:
            arguments += ["-incoming", "defer"]
        started = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep, args=(arguments, started), name="lab-qemu", daemon=True
        )
        self._keeper.start()
        started.wait()
        if self._process is None:
            raise MachineError("qemu-system-x86_64 cannot be started; is it installed?")
        self._connect()
        if state:
            self._migrate("migrate-incoming", f"exec:cat {state}")
            self.qmp("cont")

    def _keep(self, arguments, started):
        """Run QEMU and end it when its lifetime is over.

        A thread of its own, because the kernel sends PR_SET_PDEATHSIG when the
        thread that started the child ends, not the process.
        """
        try:
            with open(self._logs / "qemu.log", "wb") as log:
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                )
            # It has two threads at most, and is what everything else waits for.
            go_first(process.pid)
            self._process = process
        finally:
            started.set()
        try:
            process.wait(self._lifetime)
        except subprocess.TimeoutExpired:
            progress(f"the machine ran for {self._lifetime} s: killed")
            process.kill()

    def _connect(self):
        end = time.monotonic() + 60
        while True:
            if self._process.poll() is not None:
                raise MachineError(
                    f"QEMU ended at once: {(self._logs / 'qemu.log').read_text()[-2000:]}"
                )
            try:
                self._qmp_open()
                self.channel = Channel(self._folder / "lab")
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > end:
                    raise MachineError("QEMU does not open its sockets") from None
                # QEMU has no event for this; it takes some milliseconds.
                time.sleep(0.02)

    def _qmp_open(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._folder / "qmp"))
            self._qmp_file = connection.makefile("rw")
        json.loads(self._qmp_file.readline())
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        """Run one QMP command and return its result."""
        self._qmp_file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp_file.flush()
        while True:
            line = self._qmp_file.readline()
            if not line:
                raise MachineError(f"QEMU is gone ({command})")
            reply = json.loads(line)
            if "error" in reply:
                raise MachineError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def physical(self, address, size):
        """Bytes of the machine's memory."""
        path = self._folder / "physical"
        self.qmp("pmemsave", val=address, size=size, filename=str(path))
        return path.read_bytes()

    def _migrate(self, command, uri):
        """Move the machine's state out to or in from uri."""
        self.qmp(
            "migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}]
        )
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        self.qmp(command, uri=uri)
        ended = self._await_event(
            "MIGRATION", lambda data: data["status"] in ("completed", "failed")
        )
        if ended["status"] != "completed":
            raise MachineError(f"{command} {uri} failed")
        # The event comes a moment before QEMU accepts "cont"; nothing announces that.
        end = time.monotonic() + 30
        while self.qmp("query-status")["status"] in ("finish-migrate", "inmigrate"):
            if time.monotonic() > end:
                raise MachineError(f"{command} {uri} is not finalized")
            time.sleep(0.01)

    def _await_event(self, event, done):
        while True:
            line = self._qmp_file.readline()
            if not line:
                raise MachineError(f"QEMU is gone (waiting for {event})")
            message = json.loads(line)
            if message.get("event") == event and done(message["data"]):
                return message["data"]

    def _snapshot_folder(self):
        """Where the snapshot of this very machine is or will be."""
        inputs = {
            "qemu": run("qemu-system-x86_64", "--version", timeout=30).splitlines()[0],
            "dom0": str(dom0.disk().parent.name),
            "initramfs": str(dom0.initramfs().parent.name),
            "xen": file_hash(kernel.xen()),
            "machine": [CPU, MEMORY, XEN_OPTIONS, DOM0_OPTIONS, self._vcpus, self._memory],
            "disks": [PAYLOAD_SIZE] + [GUEST_DISK_SIZE] * len(self._guest_disks),
            "v": 1,
        }
        return cached("snapshot", inputs, lambda out: None)

    def _save(self, saved):
        """Keep the booted machine; the next start resumes it in seconds."""
        begun = time.monotonic()
        with lock(saved.name + ".save"):
            if (saved / "state").exists():
                return
            partial = saved / "state.partial"
            self.qmp("stop")
            self._migrate("migrate", f"exec:cat > {partial}")
            shutil.copy(self._folder / "dom0.qcow2", saved / "dom0.qcow2")
            partial.rename(saved / "state")
            self.qmp("cont")
        progress(f"snapshot of dom0 kept in {time.monotonic() - begun:.1f} s")
