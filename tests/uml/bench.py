# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast bench: User Mode Linux guests on the hub, Debian's xenstored, our daemon."""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import harness
from harness import CaseFailed, CaseSkipped, parse_size
from harness.bench import Bench as BaseBench
from harness.cases import TOP
from harness.logscan import scan
from harness.priority import go_first
from lab.images import programs

from . import gcov
from .backend import Backend
from .guest import Guest
from .hub import Hub
from .network import Network
from .process import Process, await_end, having_environment
from .toolstack import Toolstack
from .xenstore import Xenstore

BUILD = TOP / "build" / "uml"
TOOLS = TOP / "build" / "tools"
XENSTORED = "/usr/lib/xen-4.17/bin/xenstored"
DEBUG_SCALE = 4.0  # how much slower the debug kernel may be


def guest_programs():
    """
    build/uml/bin, which comes first in a guest's PATH: a fio that starts in half a second.
    Debian's takes five times that to load libraries which no test uses.
    """
    fio = programs.fio()
    folder = BUILD / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    script = f'#!/bin/sh\nexec {fio}/ld-linux-x86-64.so.2 --library-path {fio} {fio}/fio "$@"\n'
    partial = folder / f".fio.{os.getpid()}"
    partial.write_text(script)
    partial.chmod(0o755)
    partial.rename(folder / "fio")


def _trace(lines, number, length=120):
    """The lines of the report that begins at a line, up to the next one."""
    found = []
    for line in lines[number + 1 : number + length]:
        if "WARNING: " in line:
            break
        found.append(line)
    return found


def _walks_unlocked(line, trace):
    """When it forks, it walks the memory map without a lock (force_flush_all)."""
    return (
        "WARNING: suspicious RCU usage" in line
        and any("lib/maple_tree.c" in later for later in trace[:4])
        and any("force_flush_all" in later for later in trace)
    )


def _faults_in_interrupt(line, trace):
    """A page of vmalloc that is touched for the first time by an interrupt is a SIGSEGV, and
    its handler enables interrupts, whatever it has interrupted (sig_handler_common)."""
    return (
        "lockdep_hardirqs_on_prepare" in line
        and any("lockdep_hardirq_context()" in later for later in trace[:2])
        and any("SIGSEGV in SIGSEGV handler" in later for later in trace[:10])
    )


def without_known(text):
    """A kernel log without what User Mode Linux 6.1 does wrong by itself."""
    lines, kept = text.splitlines(), []
    for number, line in enumerate(lines):
        if "WARNING: " in line:
            trace = _trace(lines, number)
            if _walks_unlocked(line, trace) or _faults_in_interrupt(line, trace):
                continue
        kept.append(line)
    return "\n".join(kept)


class Image(harness.Image):
    """A sparse file in the environment's scratch directory."""

    def __init__(self, path, size, content):
        self.path = str(path)
        self.size = parse_size(size)
        with open(self.path, "xb") as stream:
            stream.write(content or b"")
            stream.truncate(self.size)

    def resize(self, size):
        self.size = parse_size(size)
        os.truncate(self.path, self.size)


class Host(harness.Host):
    """This machine."""

    def __init__(self, env):
        self._env = env

    def run(self, command, timeout=60, check=True):
        try:
            done = subprocess.run(
                ["bash", "-c", command],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                env=self._env.environ,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise CaseFailed(f"{command!r} took more than {timeout} s") from late
        if check and done.returncode:
            raise CaseFailed(f"{command!r} ended with {done.returncode}: {done.stderr.strip()}")
        return harness.Result(done.returncode, done.stdout, done.stderr)

    def read(self, path):
        return Path(path).read_bytes()

    def write(self, path, data, mode=0o644):
        Path(path).write_bytes(data)
        os.chmod(path, mode)

    def xs_read(self, path):
        return self._env.store.read(path)

    def xs_write(self, path, value):
        self._env.store.write(path, value)


class Env(harness.Env):
    """A host of its own for one case: hub, xenstored, backend, guests."""

    def __init__(self, bench, case, kernel, frontend, logs):
        self.case, self.kernel, self.frontend, self.logs = case, kernel, frontend, Path(logs)
        self.build, self.tools = BUILD, TOOLS
        self.notes, self.allowed, self.guests, self._disks = {}, [], [], {}
        self.tag = bench.next_tag()
        self.hub = self.store = self.toolstack = self.backend = self.net = None
        self._hub_process = self._xenstored = None
        self.toolstack_lock = threading.Lock()
        self.aborted = False
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="xenpv-uml."))
        self.memory_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(self.scratch)
        (self.scratch / "uml").mkdir()
        self.environ = {
            **{k: v for k, v in os.environ.items() if k != "LD_PRELOAD"},
            "XENPV_LOOP_SOCKET": str(self.scratch / "hub"),
            "XENSTORED_RUNDIR": str(self.scratch),
            "XENSTORED_PATH": str(self.scratch / "xenstored"),
        }
        self.host = Host(self)

    def up(self):
        self._start_hub()
        self._start_xenstored()
        if self.case.options.get("net"):
            self.net = Network(self)
        self.toolstack = Toolstack(self.store, self.net)
        self.backend = Backend(self, self.case.backend)
        self.backend.start()

    def _start_hub(self):
        program = TOOLS / "tests/uml/hv/xenpv-hub"
        if not program.exists():
            raise CaseFailed(f"{program} is not built (scripts/build-tools)")
        log = self.logs / "hub.log"
        self._hub_process = Process(
            [str(program), self.environ["XENPV_LOOP_SOCKET"]],
            log,
            env=self.environ,
            stdin=subprocess.PIPE,
        )
        self._wait_for(lambda: "ready" in self._hub_process.text(), self._hub_process, "the hub")
        self.hub = Hub(self.environ["XENPV_LOOP_SOCKET"])

    def _start_xenstored(self):
        if not os.path.exists(XENSTORED):
            raise CaseSkipped("xen-utils-4.17 is not installed")
        preload = TOOLS / "tests/uml/hv/libxenstored-on-hub.so"
        self._xenstored = Process(
            [XENSTORED, "-N", "-F", str(self.scratch / "xenstored.pid"),
             *self.case.options.get("xenstored", ())],  # fmt: skip
            self.logs / "xenstored.log",
            env={**self.environ, "LD_PRELOAD": str(preload)},
        )
        go_first(self._xenstored.pid)  # all guests wait for it
        self._wait_for(self._connect_store, self._xenstored, "xenstored")

    def _connect_store(self):
        try:
            self.store = Xenstore(self.environ["XENSTORED_PATH"])
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    @staticmethod
    def _wait_for(condition, process, what):
        """For programs that tell in no other way that they are up."""
        end = time.monotonic() + 20
        while not condition():
            if not process.running:
                raise CaseFailed(f"{what} ended at once: {process.text().strip()}")
            if time.monotonic() > end:
                raise CaseFailed(f"{what} did not start within 20 s")
            time.sleep(0.002)

    def scaled(self, timeout):
        return timeout * (DEBUG_SCALE if self.kernel == "debug" else 1)

    def module(self, kernel, name):
        path = BUILD / f"{kernel}-modules" / name
        if not path.exists():
            raise CaseFailed(f"{path} is not built (tests/uml/modules {kernel})")
        return str(path)

    def image(self, size, name=None, content=None):
        name = name or f"image{len(os.listdir(self.scratch))}"
        return Image(self.scratch / name, size, content)

    def guest(self, disks=(), vcpus=1, memory=None, **options):
        """
        Options: nics (a list of harness.Nic), name, frontend (xen-vbd, xen-blkfront, xen-vnif,
        xen-netfront, none), kernel (plain, debug) and parameters ({module: "name=value ..."}).
        """
        guest = Guest(self, options.get("name") or f"g{len(self.guests)}")
        self.guests.append(guest)
        guest.boot(
            options.get("kernel", self.kernel),
            memory,
            options.get("frontend", self.frontend),
            disks,
            options.get("parameters"),
            nics=options.get("nics", ()),
        )
        return guest

    def disk_of(self, domid, vdev):
        """The disk line of a device, from what the toolstack wrote."""
        backend = self.toolstack.paths(domid, vdev)[0]
        read = {
            key: self.store.read(f"{backend}/{key}")
            for key in ("params", "mode", "discard-enable", "script")
        }
        options = {"discard": read["discard-enable"] or "1"}
        if not read["script"].endswith("/block"):
            options["script"] = read["script"]
        return harness.Disk(read["params"], vdev, read["mode"], options)

    def await_(self, condition, what, timeout=30):
        end = time.monotonic() + self.scaled(timeout)
        pause = 0.001
        while not condition():
            if self.aborted:
                raise CaseFailed("the case took too long")
            if time.monotonic() > end:
                raise CaseFailed(f"waited {self.scaled(timeout):g} s for {what}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def abort(self):
        self.aborted = True
        for guest in list(self.guests):
            if guest.running:
                guest.kill()

    def _finish_guests(self, failed):
        """Save what each guest has to say, end it, and see that nothing of it stays pinned."""
        complaints = []
        for guest in self.guests:
            if not guest.running:
                continue
            if failed:
                guest.save_dmesg(5)
                guest.kill()
                continue
            try:
                (self.logs / f"dmesg-{guest.name}.log").write_text(guest.dmesg())
                if self.kernel == "debug":
                    gcov.collect(guest, f"{self.case.name}/{self.frontend}/{guest.name}")
                guest.destroy()
            except (CaseFailed, OSError) as error:
                complaints.append(str(error))
                if guest.running:
                    guest.kill()
        return complaints

    def _pinned(self):
        """Grants that stay mapped after their domain's end."""
        left = []
        for guest in self.guests:
            end = time.monotonic() + 5
            while True:
                info = self.hub.info(guest.domid)
                if info is None or info.pinned == 0 or time.monotonic() > end:
                    break
                time.sleep(0.005)
            if info is not None and info.pinned:
                left.append(f"{info.pinned} grants of {guest.name} are mapped after its end")
        return left

    def down(self, failed):
        complaints = []
        if failed and self.store is not None:
            try:
                (self.logs / "xenstore").write_text(self.store.dump())
            except OSError:
                pass
        try:
            complaints += self._finish_guests(failed)
            if self.hub is not None and not failed:
                complaints += self._pinned()
            if self.backend is not None and not failed:
                complaints += self.backend.stop()
        finally:
            complaints += self._kill_rest(failed)
        for path in sorted(self.logs.glob("*.log")):
            text = without_known(path.read_text(errors="replace"))
            complaints += [f"{path.name}: {line}" for line in scan(text, self.allowed)]
        shutil.rmtree(self.scratch, ignore_errors=True)
        return complaints

    def _kill_rest(self, failed):
        complaints = []
        if self._xenstored is not None and not self._xenstored.running and not failed:
            complaints.append(f"xenstored ended with status {self._xenstored.returncode}")
        if self._hub_process is not None and not self._hub_process.running:
            complaints.append(f"the hub ended with status {self._hub_process.returncode}")
        for client in (self.store, self.hub):
            if client is not None:
                client.close()
        if self.backend is not None:
            self.backend.kill()
        if self.net is not None:
            self.net.close()
        for process in (self._xenstored, self._hub_process):
            if process is not None:
                process.kill()
        left = having_environment(f"XENPV_LOOP_SOCKET={self.environ['XENPV_LOOP_SOCKET']}")
        # A worker whose broker was killed ends by itself.
        left = await_end(left, 0 if failed else 5)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if left and not failed:
            complaints.append(f"processes were left behind: {', '.join(left.values())}")
        return complaints


class Bench(BaseBench):
    """Each case has an environment of its own, so several run at a time."""

    name = "uml"

    def __init__(self, options):
        super().__init__(options)
        self.parallel = max(1, min(4, os.cpu_count() or 1))
        self._tag = 0
        self._lock = threading.Lock()

    def next_tag(self):
        with self._lock:
            self._tag += 1
            return f"xenpv{os.getpid()}-{self._tag}"

    def _kernels(self, case):
        return (self.options.kernel,) if self.options.kernel else case.kernels

    def variants(self, case):
        found = []
        for kernel in self._kernels(case):
            for frontend in case.frontend:
                words = []
                if len(self._kernels(case)) > 1:
                    words.append(kernel)
                if len(case.frontend) > 1:
                    words.append(frontend)
                found.append("/".join(words))
        return found

    def _split(self, case, variant):
        words = variant.split("/") if variant else []
        kernels = self._kernels(case)
        kernel = next((w for w in words if w in kernels), kernels[0])
        frontend = next((w for w in words if w in case.frontend), case.frontend[0])
        return kernel, frontend

    @staticmethod
    def _raise_limits():
        """What the daemon's service unit allows it, for everything that we start."""
        for limit in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_NOFILE):
            _, hard = resource.getrlimit(limit)
            wanted = resource.RLIM_INFINITY if limit == resource.RLIMIT_MEMLOCK else hard
            try:
                resource.setrlimit(limit, (wanted, wanted))
            except (ValueError, PermissionError):
                resource.setrlimit(limit, (hard, hard))

    def start(self, cases):
        self._raise_limits()
        guest_programs()
        if self.options.no_build:
            return
        kernels = sorted({kernel for case in cases for kernel in self._kernels(case)})
        commands = [["tests/uml/kernel/build", *kernels], ["tests/uml/guest/build"]]
        commands += [["tests/uml/modules", kernel] for kernel in kernels]
        commands += [["scripts/build-tools"]]
        for command in commands:
            done = subprocess.run(
                command, cwd=TOP, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines()[-15:]
                raise CaseFailed(f"{' '.join(command)}: " + " / ".join(lines))

    def open(self, case, variant, logs):
        kernel, frontend = self._split(case, variant)
        env = Env(self, case, kernel, frontend, logs)
        try:
            env.up()
        except BaseException:
            env.down(True)
            raise
        return env

    def close(self, env, failed):
        complaints = env.down(failed)
        if not failed and not complaints and not self.options.keep:
            shutil.rmtree(env.logs, ignore_errors=True)
        return complaints
