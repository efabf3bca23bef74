# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of a test environment, and finding those that it left behind."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path


class Process:
    """A program in a session of its own, its output in a file."""

    def __init__(self, arguments, log, env=None, pass_fds=(), stdin=subprocess.DEVNULL, cwd=None):
        self.log = Path(log)
        with open(log, "ab") as out:
            self._popen = subprocess.Popen(
                arguments,
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                pass_fds=pass_fds,
                start_new_session=True,
                cwd=cwd,
            )
        self.pid = self._popen.pid

    @property
    def running(self):
        return self._popen.poll() is None

    @property
    def stdin(self):
        return self._popen.stdin

    @property
    def returncode(self):
        return self._popen.returncode

    def signal(self, number):
        if self.running:
            self._popen.send_signal(number)

    def wait(self, timeout):
        """The exit status, or None when it still runs after @timeout seconds."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """SIGKILL to all of the session, and wait for its leader."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait(20)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def having_environment(setting):
    """Ids of the processes with this NAME=value in their environment."""
    found = []
    wanted = setting.encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry.name}/environ", "rb") as stream:
                if wanted in stream.read().split(b"\0"):
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def await_end(pids, timeout):
    """Wait up to @timeout seconds; returns {pid: command line} of those that still run."""
    end = time.monotonic() + timeout
    left = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                command = stream.read().replace(b"\0", b" ").decode(errors="replace").strip()
            fd = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        finally:
            os.close(fd)
        if not ready:
            left[pid] = command
    return left


def children(pid):
    """Ids of the direct children of a process, with their command names."""
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/stat", encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :]
        if int(rest.split()[1]) == pid:
            found[int(entry.name)] = name
    return found
