# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend of a test environment: our daemon, or the shim's own test peer."""

import contextlib
import json
import os
import signal
import threading

import harness
from harness import CaseFailed
from harness.priority import go_first

from .process import Process, children


class Backend(harness.Backend):
    """Runs a backend program and starts it again when it dies, as systemd would."""

    def __init__(self, env, kind):
        self.kind = kind
        self._env = env
        self._process = None
        self._stopping = True
        self._lock = threading.Lock()
        self.starts = 0
        self.log_file = env.logs / "backend.log"
        self.runtime = env.scratch / "backend"

    def _command(self):
        tools = self._env.tools
        if self.kind in ("testback", "testback-vif"):
            return [str(tools / "tests/uml/hv" / self.kind)]
        program = tools / "tools/backend/control/xenpv-backendd-loop"
        worker = tools / "tools/backend/worker/xenpv-worker-loop"
        config = self._env.scratch / "backendd.conf"
        config.touch()
        self.runtime.mkdir(exist_ok=True)
        return [
            str(program),
            f"--config={config}",
            f"--worker={worker}",
            "--worker-user=",
            f"--runtime-dir={self.runtime}",
            "--log-level=debug",
        ]

    def start(self):
        if self.kind == "none":
            return
        with self._lock:
            self._stopping = False
            self._spawn()

    def _spawn(self):
        """Start the program; the caller holds the lock."""
        command = self._command()
        if not os.path.exists(command[0]):
            raise CaseFailed(f"{command[0]} is not built (scripts/build-tools)")
        with self._env.net or contextlib.nullcontext():
            self._process = Process(command, self.log_file, env=self._env.environ)
        # As its unit has it: the toolstack waits for it, with a limit, and guests keep every
        # processor busy.
        go_first(self._process.pid)
        self.starts += 1
        threading.Thread(target=self._supervise, args=(self._process,), daemon=True).start()

    def _supervise(self, process):
        while process.wait(3600) is None:
            pass
        with self._lock:
            # Another one may have been started meanwhile.
            if not self._stopping and self._process is process:
                self._spawn()

    @property
    def pid(self):
        """The broker's process id."""
        return self._process.pid

    def _guests(self):
        """What the daemon's status file says of each guest."""
        try:
            with open(self.runtime / "status.json", encoding="utf-8") as stream:
                return json.load(stream)["guests"]
        except (OSError, ValueError):
            return []

    def workers(self):
        """Process ids of the workers by guest domain id."""
        alive = children(self.pid)
        return {
            guest["domid"]: guest["worker_pid"]
            for guest in self._guests()
            if guest["worker_pid"] in alive
        }

    def vif(self, domid, number):
        """What the status file says of an interface; {} if it says nothing of it."""
        for guest in self._guests():
            for device in guest["devices"]:
                if (guest["domid"], device["kind"], device["devid"]) == (domid, "vif", number):
                    return device
        return {}

    def kill_broker(self):
        process = self._process
        process.signal(signal.SIGKILL)
        if process.wait(10) is None:
            raise CaseFailed("the broker survived SIGKILL")

    def kill_worker(self, guest):
        # The status file is a moment behind when the worker or the broker has just started.
        found = []

        def look():
            found.append(self.workers().get(guest.domid))
            return found[-1] is not None

        self._env.await_(look, f"a worker for domain {guest.domid}", 10)
        try:
            os.kill(found[-1], signal.SIGKILL)
        except ProcessLookupError:
            pass  # it died by itself in between: the log says why

    def restart(self):
        with self._lock:
            self._process.signal(signal.SIGTERM)
            if self._process.wait(30) is None:
                raise CaseFailed("the backend did not end within 30 s of SIGTERM")
            self._spawn()

    def stop(self):
        """Orderly, as systemctl stop; complaints as lines of text."""
        if self._process is None:
            return []
        with self._lock:
            self._stopping = True
            self._process.signal(signal.SIGTERM)
            if self._process.wait(20) is None:
                self._process.kill()
                return ["the backend did not end within 20 s of SIGTERM"]
        if self._process.returncode not in (0, -signal.SIGTERM):
            return [f"the backend ended with status {self._process.returncode}"]
        return []

    def kill(self):
        if self._process is not None:
            with self._lock:
                self._stopping = True
                self._process.kill()

    def log(self):
        return self._process.text() if self._process else ""
