# SPDX-License-Identifier: GPL-2.0-or-later
"""dom0 of the lab, as cases see it: commands, files, xenstore, images, backends."""

import base64
import json
import shlex

import harness
from harness import CaseFailed, Result, parse_size

from .channel import TIMED_OUT, ChannelError
from .images import payload

IMAGES = "/var/lib/xenpv-lab"


class Dom(harness.Host):
    """Commands and files in dom0 or in one guest.

    scale multiplies every time limit: the machine is emulated.
    """

    def __init__(self, channel, domid=0, name="dom0", scale=1.0):
        self.channel = channel
        self.domid = domid
        self.name = name
        self.scale = scale

    def start(self, command, timeout=600):
        """Start a shell command; returns an object with wait() -> Result."""
        return Running(self, command, timeout * self.scale)

    def run(self, command, timeout=60, check=True):
        result = self.start(command, timeout).wait()
        if check and result.rc != 0:
            said = " ".join((result.err or result.out).split())[-600:]
            raise CaseFailed(f"in {self.name}: `{_short(command)}` ended with {result.rc}: {said}")
        return result

    def read(self, path):
        return self._guarded(self.channel.get, path, 120 * self.scale)

    def write(self, path, data, mode=0o644):
        self._guarded(self.channel.put, path, data, mode, 120 * self.scale)

    def _guarded(self, call, *arguments):
        try:
            return call(self.domid, *arguments)
        except ChannelError as error:
            raise CaseFailed(f"in {self.name}: {error}") from error


class Host(Dom):
    """dom0, which also has xenstore."""

    def xs_read(self, path):
        result = self.run(f"xenstore-read {shlex.quote(path)}", check=False)
        return result.out.rstrip("\n") if result.rc == 0 else None

    def xs_write(self, path, value):
        self.run(f"xenstore-write {shlex.quote(path)} {shlex.quote(str(value))}")


class Running:
    """A command in progress."""

    def __init__(self, dom, command, limit):
        self._dom = dom
        self._command = command
        try:
            self._request = dom.channel.start(dom.domid, command, limit)
        except ChannelError as error:
            raise CaseFailed(f"in {dom.name}: {error}") from error

    @property
    def done(self):
        return self._request.done

    @property
    def output(self):
        """What it wrote to standard output so far, in bytes."""
        return bytes(self._request.out)

    def wait(self, timeout=None):
        """Wait for its end, at most timeout seconds more. CaseFailed when it does not end."""
        try:
            output = self._request.wait(timeout * self._dom.scale if timeout else None)
        except ChannelError as error:
            raise CaseFailed(f"in {self._dom.name}: `{_short(self._command)}`: {error}") from error
        err = output.err.decode(errors="replace")
        if output.rc == TIMED_OUT:
            err += f"[killed after {self._request.limit:g} s]"
        return Result(output.rc, output.out.decode(errors="replace"), err)

    def kill(self):
        self._request.kill()


def _short(command):
    line = " ".join(command.split())
    return line if len(line) < 100 else line[:97] + "..."


class Image(harness.Image):
    """A sparse raw file in dom0."""

    def __init__(self, host, path, size, content=None):
        self._host = host
        self.path = path
        self.size = parse_size(size)
        host.run(f"truncate -s {self.size} {shlex.quote(path)}")
        if content:
            host.write(path + ".content", content)
            host.run(f"dd if={path}.content of={path} conv=notrunc status=none")

    def resize(self, size):
        """Grow or shrink the file, and tell a loop device that sits on it, as an admin does."""
        self.size = parse_size(size)
        self._host.run(
            f"truncate -s {self.size} {shlex.quote(self.path)}; "
            f"for l in $(losetup -j {shlex.quote(self.path)} | cut -d: -f1); do losetup -c $l; done"
        )

    def read(self, offset, length):
        """Bytes of the file as they are on the host's disk (not in its page cache)."""
        result = self._host.run(
            f"sync {self.path}; dd if={self.path} bs=512 skip={offset // 512} "
            f"count={(length + 511) // 512} iflag=direct status=none | base64 -w0"
        )
        return base64.b64decode(result.out)[:length]


class Overlay:
    """What is written goes to a file beside the device, and is gone with it."""

    def __init__(self, host, device, name, folder):
        self._host = host
        self._name = name
        self.path = f"/dev/mapper/{name}"
        changes = f"{folder}/{name}.cow"
        host.run(
            f"modprobe -a loop dm-snapshot && sectors=$(blockdev --getsz {device}) && "
            f"truncate -s $((sectors * 512)) {changes} && loop=$(losetup -f --show {changes}) && "
            # Without udev the node is there when the command ends.
            f"DM_DISABLE_UDEV=1 dmsetup create {name} "
            f'--table "0 $sectors snapshot {device} $loop N 16"'
        )

    def disk(self, vdev, mode="w"):
        return harness.Disk(self.path, vdev, mode)

    def remove(self):
        self._host.run(f"DM_DISABLE_UDEV=1 dmsetup remove {self._name}", check=False)


UNIT = "xenpv-backendd.service"
DROP_IN = "/etc/xenpv/backendd.conf.d/lab.conf"


class Backend(harness.Backend):
    """What serves vbds in dom0; start() brings up one kind in a freshly started machine."""

    def __init__(self, host, kind):
        self._host = host
        self.kind = kind
        self._configured = False

    def start(self):
        host = self._host
        if self.kind == "blkback":
            host.run("modprobe xen-blkback")
        elif self.kind == "netback":
            host.run("modprobe xen-netback")
        elif self.kind == "xenpv-backendd":
            self.install()
            why = f"journalctl -n 20 -u {UNIT} -o cat >&2"
            host.run(f"systemctl start {UNIT} || {{ {why}; exit 1; }}")

    def install(self):
        """Put the daemon that was built last into dom0."""
        if not payload.host_files():
            raise CaseFailed("xenpv-backendd is not built (make tools)")
        self._host.run(
            "cp -a /lab/host/. / && ldconfig && systemd-sysusers && systemctl daemon-reload && "
            "/usr/lib/systemd/systemd-modules-load xenpv-backend.conf"
        )

    def _main_pid(self):
        pid = int(self._host.run(f"systemctl show -P MainPID {UNIT}").out)
        if pid <= 0:
            raise CaseFailed("xenpv-backendd is not running")
        return pid

    def kill_broker(self):
        """SIGKILL the broker; systemd starts it again."""
        self._host.run(f"kill -9 {self._main_pid()}")

    def worker_pid(self, guest):
        """The worker process of a guest, or None."""
        told = self._host.run("xenpv-backendd --status", check=False)
        if told.rc != 0:
            return None
        status = json.loads(told.out)
        for served in status["guests"]:
            if served["domid"] == guest.domid and served["worker_pid"]:
                return served["worker_pid"]
        return None

    def kill_worker(self, guest):
        """SIGKILL the worker of a guest; the broker starts another one."""
        pid = self.worker_pid(guest)
        if pid is None:
            raise CaseFailed(f"domain {guest.domid} has no worker process")
        self._host.run(f"kill -9 {pid}")

    def restart(self):
        self._host.run(f"systemctl restart {UNIT}", timeout=60)

    def configure(self, settings):
        """Settings for the rest of the case, as lines of a configuration file."""
        self._host.run(f"mkdir -p {DROP_IN.rpartition('/')[0]}")
        self._host.write(DROP_IN, settings.encode())
        self._configured = True
        self.restart()

    def restore_settings(self):
        """Undo configure()."""
        if self._configured:
            self._configured = False
            self._host.run(f"rm {DROP_IN}")
            self.restart()

    def log(self):
        if self.kind != "xenpv-backendd":
            return ""
        return self._host.run(f"journalctl -u {UNIT} -o cat --no-pager", check=False).out
