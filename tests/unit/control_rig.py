# SPDX-License-Identifier: GPL-2.0-or-later
"""The broker against Debian's real xenstored, with a worker that moves no data.

Toolstack replays what libxl 4.17 does to xenstore to attach and detach a disk, and
runs the stock hotplug script. Guest plays the frontend.
"""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

WIRE = {"directory": 1, "read": 2, "watch": 4, "start": 6, "end": 7, "write": 11, "rm": 13}
EVENT, ERROR = 15, 16
HEADER = struct.Struct("=IIII")

UNKNOWN, INITIALISING, INITWAIT, INITIALISED, CONNECTED, CLOSING, CLOSED = range(7)

# Seconds for what takes a tenth of one: sanitizers are slow, and other tests run meanwhile. Less
# than the 5 that a guest has by default to let go of a device.
AT_ONCE = 4.5
# Seconds that libxl waits before it gives up.
LIBXL = 10


class StoreError(OSError):
    pass


class Store:
    """A xenstore client over the socket, independent of libxenstore."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        self.sock.settimeout(30)
        self.events = []

    def close(self):
        self.sock.close()

    def _recv(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise StoreError("xenstored closed the connection")
            data += more
        return data

    def _message(self):
        kind, _, _, length = HEADER.unpack(self._recv(HEADER.size))
        return kind, self._recv(length)

    def request(self, op, payload, tx=0):
        self.sock.sendall(HEADER.pack(WIRE[op], 0, tx, len(payload)) + payload)
        while True:
            kind, data = self._message()
            if kind == EVENT:
                self.events.append(data.split(b"\0")[0].decode())
                continue
            if kind == ERROR:
                raise StoreError(data.rstrip(b"\0").decode())
            return data

    def read(self, path, tx=0):
        try:
            return self.request("read", path.encode() + b"\0", tx).decode()
        except StoreError as e:
            if str(e) == "ENOENT":
                return None
            raise

    def list(self, path):
        try:
            names = self.request("directory", path.encode() + b"\0").split(b"\0")[:-1]
            return [n.decode() for n in names]
        except StoreError as e:
            if str(e) == "ENOENT":
                return []
            raise

    def write(self, path, value, tx=0):
        self.request("write", path.encode() + b"\0" + str(value).encode(), tx)

    def rm(self, path, tx=0):
        try:
            self.request("rm", path.encode() + b"\0", tx)
        except StoreError as e:
            if str(e) != "ENOENT":
                raise

    def transaction(self, body):
        while True:
            tx = int(self.request("start", b"\0").rstrip(b"\0"))
            body(tx)
            try:
                self.request("end", b"T\0", tx)
                return
            except StoreError as e:
                if str(e) != "EAGAIN":
                    raise

    def watch(self, path):
        self.request("watch", path.encode() + b"\0t\0")

    def wait_event(self, timeout):
        """Returns when a watch has fired, or after the time."""
        if self.events:
            self.events.clear()
            return
        self.sock.settimeout(max(timeout, 0.001))
        try:
            kind, data = self._message()
            if kind == EVENT:
                return
            raise StoreError(f"unexpected message {kind}: {data}")
        except TimeoutError:
            return
        finally:
            self.sock.settimeout(30)


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Rig:
    """xenstored and broker in a directory of their own, both gone at the end."""

    def __init__(self, broker, worker, preload, config=""):
        self.dir = tempfile.mkdtemp(prefix="xenpv-control-")
        self.broker_path, self.worker_path = broker, worker
        self.socket = f"{self.dir}/socket"
        self.runtime = f"{self.dir}/run"
        self.sysfs = f"{self.dir}/sys"
        self.switches = f"{self.dir}/worker"
        self.config = f"{self.dir}/backendd.conf"
        os.mkdir(self.sysfs)
        os.mkdir(self.switches)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("[worker]\nuser =\n" + config)
        # xs_close() drops the events that its reader thread has queued
        with open(f"{self.dir}/lsan", "w", encoding="utf-8") as f:
            f.write("leak:libxenstore\n")
        self.env = dict(os.environ, XENSTORED_PATH=self.socket, XENSTORED_RUNDIR=self.dir,
                        TEST_WORKER_DIR=self.switches,
                        LSAN_OPTIONS=f"suppressions={self.dir}/lsan:print_suppressions=0")
        self.xenstored = subprocess.Popen(
            ["/usr/lib/xen-4.17/bin/xenstored", "-N", "-F", f"{self.dir}/pid"],
            env=dict(self.env, LD_PRELOAD=preload), stderr=subprocess.DEVNULL)
        self.store = None
        self.await_(self.reach, "xenstored")
        self.broker = None
        self.log = open(f"{self.dir}/broker.log", "wb")

    def reach(self):
        try:
            self.store = Store(self.socket)
        except OSError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.broker:
                code = self.stop()
                if kind is None and code != 0:
                    kind = Failure
                    raise Failure(f"the broker ended with {code}")
        finally:
            self.log.close()
            if kind is not None:
                sys.stderr.write(self.logged())
                sys.stderr.write(self.worker_log())
            self.store.close()
            self.xenstored.kill()
            self.xenstored.wait()
            shutil.rmtree(self.dir)

    def command(self, *args):
        return [self.broker_path, "--config", self.config, "--runtime-dir", self.runtime,
                "--sysfs", self.sysfs, "--host-root", self.dir, "--worker", self.worker_path, *args]

    def start(self):
        """Start the broker and wait until it is ready, as systemd does."""
        path = f"{self.dir}/notify"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(20)
            self.broker = subprocess.Popen(self.command("--log-level", "debug"),
                                           env=dict(self.env, NOTIFY_SOCKET=path),
                                           stderr=self.log)
            while b"READY=1" not in notify.recv(4096):
                pass

    def stop(self):
        self.broker.send_signal(signal.SIGTERM)
        code = self.broker.wait(20)
        self.broker = None
        return code

    def kill(self):
        self.broker.kill()
        self.broker.wait()
        self.broker = None

    def logged(self):
        with open(f"{self.dir}/broker.log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def worker_log(self):
        try:
            with open(f"{self.switches}/log", encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def messages(self, kind, devid=None):
        """Lines of the workers' log of this type, as dictionaries."""
        found = []
        for line in self.worker_log().splitlines():
            pid, domid, name, *rest = line.split()
            fields = dict(p.split("=") for p in rest)
            if name == kind and devid in (None, int(fields["devid"])):
                found.append(dict(fields, pid=int(pid), domid=int(domid)))
        return found

    def switch(self, name, value=None, on=True):
        path = f"{self.switches}/{name}"
        if on:
            with open(path, "w", encoding="utf-8") as f:
                f.write(str(value if value is not None else ""))
        elif os.path.exists(path):
            os.unlink(path)

    def status(self):
        out = subprocess.run(self.command("--status"), env=self.env, capture_output=True,
                             check=False)
        check(out.returncode == 0, f"--status: {out.stderr.decode()}")
        return json.loads(out.stdout)

    def device_status(self, domid, devid, kind=None):
        for guest in self.status()["guests"]:
            for device in guest["devices"]:
                if ((device["domid"], device["devid"]) == (domid, devid) and
                        kind in (None, device["kind"])):
                    return dict(device, worker_pid=guest["worker_pid"])
        return None

    def await_status(self, domid, devid, kind=None, **wanted):
        """Wait until the status file tells this; it follows a little later than xenstore."""
        def fits():
            status = self.device_status(domid, devid, kind)
            return status and all(status.get(k) == v for k, v in wanted.items())
        self.await_(fits, f"status of {domid}/{devid}: {wanted}")

    def image(self, name, mib=1):
        path = f"{self.dir}/{name}"
        with open(path, "ab") as f:
            f.truncate(mib << 20)
        return path

    @staticmethod
    def await_(condition, what, timeout=30, interval=0.01):
        """For what gives no event to this process: files, other processes."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"not within {timeout} s: {what}")
            time.sleep(interval)

    def await_node(self, path, wanted, timeout=30):
        """Wait until a node has one of the values; returns the seconds that took."""
        wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        wanted = [None if w is None else str(w) for w in wanted]
        begin = time.monotonic()
        client = Store(self.socket)
        try:
            client.watch(path)
            while True:
                value = client.read(path)
                if value in wanted:
                    return time.monotonic() - begin
                left = begin + timeout - time.monotonic()
                if left <= 0:
                    raise Failure(f"{path} is {value}, not {wanted}, after {timeout} s")
                client.wait_event(left)
        finally:
            client.close()

    def await_never(self, path, value, seconds):
        """The node must not take the value for this long."""
        try:
            self.await_node(path, value, seconds)
        except Failure:
            return
        raise Failure(f"{path} became {value}")


class Device:
    """One device as libxl writes it, and both parties of it that are not the backend."""

    def __init__(self, rig, domid, devid, kind, script):
        self.rig, self.domid, self.devid = rig, domid, devid
        self.kind = kind
        self.script = script
        self.relative = f"backend/{kind}/{domid}/{devid}"
        self.backend = f"/local/domain/0/{self.relative}"
        self.frontend = f"/local/domain/{domid}/device/{kind.rstrip('3')}/{devid}"
        self.nodes = {"frontend": self.frontend, "frontend-id": domid, "script": script,
                      "online": 1, "state": INITIALISING}
        self.front_nodes = {"backend": self.backend, "backend-id": 0, "state": INITIALISING}

    def get(self, key):
        return self.rig.store.read(f"{self.backend}/{key}")

    def state(self):
        return int(self.get("state") or 0)

    def io(self):
        """What is counted of it; in the status once a worker has it."""
        found = {}

        def look():
            status = self.rig.device_status(self.domid, self.devid, self.kind) or {}
            found.update(status.get("io", {}))
            return bool(found)
        self.rig.await_(look, f"counters of {self.domid}/{self.devid}")
        return found

    # the toolstack

    def create(self, instead_of=None):
        """instead_of: a device that is removed by the very same transaction."""
        def body(tx):
            if instead_of:
                self.rig.store.rm(instead_of.backend, tx)
                self.rig.store.rm(instead_of.frontend, tx)
            for key, value in self.nodes.items():
                if value is not None:
                    self.rig.store.write(f"{self.backend}/{key}", value, tx)
            for key, value in self.front_nodes.items():
                self.rig.store.write(f"{self.frontend}/{key}", value, tx)
        self.rig.store.transaction(body)

    def run_script(self, command, *args, **env):
        """As libxl, which reads the script's path when the backend is in InitWait."""
        script = self.get("script")
        return subprocess.run(
            [script, command, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=40,
            check=False, env=dict(self.rig.env, script=script, XENBUS_TYPE=self.kind,
                     XENBUS_PATH=self.relative, XENBUS_BASE_PATH="backend", **env)).returncode

    def attach(self):
        """As libxl: returns None, or hotplug-error if it failed."""
        self.create()
        self.rig.await_node(f"{self.backend}/state", INITWAIT)
        if self.plug() == 0:
            return None
        return self.get("hotplug-error") or "the script failed"

    def plugged(self):
        """The shortest script: for disks of which the script is not the point."""
        self.rig.await_node(f"{self.backend}/state", INITWAIT)
        self.rig.store.write(f"{self.backend}/hotplug-status", "connected")

    def ask_removal(self, force=False):
        def body(tx):
            if force:
                self.rig.store.rm(self.frontend, tx)
            state = self.rig.store.read(f"{self.backend}/state", tx)
            if state is None:
                return
            self.rig.store.write(f"{self.backend}/online", 0, tx)
            if state != str(CLOSED):
                self.rig.store.write(f"{self.backend}/state", CLOSING, tx)
        self.rig.store.transaction(body)

    def detach(self, force=False, script=False):
        """As libxl: returns the seconds until the backend was closed."""
        self.ask_removal(force)
        seconds = self.rig.await_node(f"{self.backend}/state", [CLOSED, None])
        if script:
            self.unplug()
        self.destroy()
        return seconds

    def destroy(self):
        def body(tx):
            self.rig.store.rm(self.backend, tx)
            self.rig.store.rm(self.frontend, tx)
        self.rig.store.transaction(body)

    # the guest

    def front(self, **nodes):
        def body(tx):
            for key, value in nodes.items():
                self.rig.store.write(f"{self.frontend}/{key.replace('_', '-')}", value, tx)
        self.rig.store.transaction(body)


class Disk(Device):
    """One disk."""

    def __init__(self, rig, domid, devid, params, mode="w", kind="vbd",
                 script="/etc/xen/scripts/block", **extra):
        super().__init__(rig, domid, devid, kind, script)
        self.nodes.update({
            "params": params, "removable": 0, "bootable": 1, "dev": "xvda", "type": "phy",
            "mode": mode, "device-type": "disk", "discard-enable": 1, "specification": "xen",
            **extra})
        self.front_nodes.update({"virtual-device": devid, "device-type": "disk"})

    def plug(self):
        return self.run_script("add")

    def unplug(self):
        return self.run_script("remove")

    def connect(self, await_connected=True, **nodes):
        ring = {"ring_ref": 8, "event_channel": 5, "protocol": "x86_64-abi",
                "feature_persistent": 1}
        ring.update(nodes)
        self.front(**ring)
        self.front(state=INITIALISED)
        if await_connected:
            self.rig.await_node(f"{self.backend}/state", CONNECTED)
            self.front(state=CONNECTED)

    def full(self):
        """Attached and connected, without the stock script."""
        self.create()
        self.plugged()
        self.connect()
        return self


def have_loop_devices():
    return subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0


def main(cases, prepare=None):
    """Run cases, each after prepare(); arguments: broker, worker, preload library [case...]."""
    broker, worker, preload, *wanted = sys.argv[1:]
    if not os.access("/usr/lib/xen-4.17/bin/xenstored", os.X_OK):
        print("xenstored is not installed")
        sys.exit(77)
    failed = 0
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        begin = time.monotonic()
        verdict = "ok"
        try:
            if prepare:
                prepare()
            with Rig(broker, worker, preload, getattr(case, "config", "")) as rig:
                if not getattr(case, "stopped", False):
                    rig.start()
                case(rig)
        except (Failure, OSError, subprocess.SubprocessError, KeyError, AssertionError) as e:
            failed += 1
            verdict = f"FAILED: {type(e).__name__}: {e}"
        print(f"{case.__name__} ({time.monotonic() - begin:.2f} s): {verdict}", flush=True)
    sys.exit(1 if failed else 0)
