# SPDX-License-Identifier: GPL-2.0-or-later
"""The host command against Debian's real xenstored, with Xen made up in a file."""

import concurrent.futures
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import control_rig
from control_rig import Failure, Rig, Store, check

control_rig.WIRE.update(introduce=8, release=9)

IMAGE = "/srv/web1.img"
UUID = "00000000-0000-0000-0000-{:012x}"


class HostRig:
    """xenstored, a file that stands for Xen, and the command; all gone at the end."""

    def __init__(self, program, preload):
        self.program = program
        self.dir = tempfile.mkdtemp(prefix="xenpv-hostcmd-")
        self.socket = f"{self.dir}/socket"
        self.status = f"{self.dir}/status.json"
        self.file = f"{self.dir}/host.json"
        self.xen = {
            "host": {"cpus": 4, "mhz": 1995, "memory_kib": 8388608, "free_kib": 5000000,
                     "version": "4.17.7"},
            "domains": [], "vbd": {}, "vif": {},
        }
        with open(f"{self.dir}/lsan", "w", encoding="utf-8") as f:
            f.write("leak:libxenstore\n")
        self.env = dict(os.environ, XENSTORED_PATH=self.socket, XENSTORED_RUNDIR=self.dir,
                        TEST_HOST=self.file, LC_ALL="C.UTF-8", TZ="UTC",
                        LSAN_OPTIONS=f"suppressions={self.dir}/lsan:print_suppressions=0")
        self.xenstored = subprocess.Popen(
            ["/usr/lib/xen-4.17/bin/xenstored", "-N", "-F", f"{self.dir}/pid"],
            env=dict(self.env, LD_PRELOAD=preload), stderr=subprocess.DEVNULL)
        self.store = None
        Rig.await_(self.reach, "xenstored")
        self.domain(0, "Domain-0", type="pv", running=True, vcpus=4, memory_kib=1048576,
                    max_kib=0, cpu_ns=90 * 10**9)

    def reach(self):
        try:
            self.store = Store(self.socket)
        except OSError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.store.close()
        self.xenstored.kill()
        self.xenstored.wait()
        shutil.rmtree(self.dir)

    def save(self):
        with open(f"{self.file}.new", "w", encoding="utf-8") as f:
            json.dump(self.xen, f)
        os.rename(f"{self.file}.new", self.file)

    def domain(self, domid, name, **fields):
        """A domain for Xen and xenstore; later calls change its fields."""
        entry = next((d for d in self.xen["domains"] if d["domid"] == domid), None)
        if entry is None:
            entry = {"domid": domid, "uuid": UUID.format(domid), "type": "pvh", "blocked": True,
                     "vcpus": 1, "memory_kib": 524288, "max_kib": 524288, "cpu_ns": 10**9}
            if domid == 0:
                entry["blocked"] = False
            self.xen["domains"].append(entry)
            self.write(domid, name=name)
        entry.update(fields)
        self.save()

    def gone(self, domid):
        self.xen["domains"] = [d for d in self.xen["domains"] if d["domid"] != domid]
        self.save()
        self.store.rm(f"/local/domain/{domid}")

    def write(self, domid, **nodes):
        """Nodes of a domain's home; __ stands for /, _ for -, except in data/os_*."""
        self.nodes(domid, {key.replace("__", "/"): value for key, value in nodes.items()})

    def nodes(self, domid, nodes):
        for key, value in nodes.items():
            self.store.write(f"/local/domain/{domid}/{key}", value)

    def read(self, domid, key):
        return self.store.read(f"/local/domain/{domid}/{key}")

    def await_node(self, domid, key, timeout=60):
        """The value of a node, as soon as it has one that is not empty."""
        path, end = f"/local/domain/{domid}/{key}", time.monotonic() + timeout
        client = Store(self.socket)
        try:
            client.watch(path)
            while not (value := client.read(path)):
                left = end - time.monotonic()
                if left <= 0:
                    raise Failure(f"{path} stays empty")
                client.wait_event(left)
            return value
        finally:
            client.close()

    def introduce(self, domid):
        """As libxl: xenstored gets to know the domain, @introduceDomain fires."""
        self.store.request("introduce", f"{domid}\0001\0001\000".encode())

    def release(self, domid):
        """@releaseDomain fires."""
        self.store.request("release", f"{domid}\0".encode())

    def disk(self, domid, devid, vdev, path, kind="vbd", mode="w", **nodes):
        back = f"backend/{kind}/{domid}/{devid}"
        values = {"dev": vdev, "params": path, "mode": mode, "device-type": "disk", "state": 4}
        values.update(nodes)
        self.nodes(0, {f"{back}/{key}": value for key, value in values.items()})
        self.nodes(domid, {f"device/vbd/{devid}/state": 4})

    def interface(self, domid, handle, mac, bridge):
        back = f"backend/vif/{domid}/{handle}"
        self.nodes(0, {f"{back}/mac": mac, f"{back}/bridge": bridge, f"{back}/state": 4})

    def counters(self, name, kind, *blocks):
        """A worker's file of counters, as lib/counters.h has it; kind: 0 disk, 1 interface."""
        data = struct.pack("=QIII", 0x73746e7565767058, 1, kind, len(blocks)).ljust(256, b"\0")
        for block in blocks:
            data += struct.pack(f"={len(block)}Q", *block).ljust(256, b"\0")
        with open(f"{self.dir}/{name}.new", "wb") as f:
            f.write(data.ljust(256 * 33, b"\0"))
        os.rename(f"{self.dir}/{name}.new", f"{self.dir}/{name}")

    def agent(self, domid, **nodes):
        """What the agent reports."""
        values = {"attr/PVAddons/MajorVersion": 0, "attr/PVAddons/MinorVersion": 1,
                  "attr/PVAddons/MicroVersion": 0, "data/os_name": "Debian GNU/Linux 12",
                  "drivers/0": "xen-vbd 0.1.0", "attr/vif/0/ipv4/0": "10.0.0.7",
                  "data/xenpv/time/source": "chrony", "data/xenpv/time/synchronised": 1,
                  "data/xenpv/time/offset": "+0.000200000",
                  "data/xenpv/shutdown/state": "running", "data/xenpv/feature-freeze": 1}
        values.update(nodes)
        self.nodes(domid, values)

    def start(self, *args, **options):
        return Command(self, args, **options)

    def run(self, *args, status=0, timeout=60):
        """Run it to its end; returns what it printed, and what it complained."""
        command = self.start(*args)
        out, err = command.finish(timeout)
        check(command.status == status,
              f"{args}: exit {command.status}, not {status}\n{out}{err}")
        return out, err

    def json(self, *args, status=0):
        out, err = self.run(*args, "--json", status=status)
        try:
            return json.loads(out)
        except ValueError as e:
            raise Failure(f"{args}: {e}: {out}{err}") from e


class Command:
    """The command while it runs: its lines can be awaited."""

    def __init__(self, rig, args):
        self.process = subprocess.Popen(
            [rig.program, *args, *(["--status", rig.status] if args[0] in HOST_COMMANDS else [])],
            env=rig.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8")
        self.lines, self.errors = [], []
        self.news = threading.Condition()
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()
        self.status = None

    def _read(self, stream, lines):
        for line in stream:
            with self.news:
                lines.append(line)
                self.news.notify_all()
        with self.news:
            lines.append(None)
            self.news.notify_all()

    def await_line(self, pattern, timeout=60):
        """A line of its output that fits; also one that was printed before."""
        def found():
            return next((m for line in self.lines if line and (m := re.search(pattern, line))),
                        None)
        with self.news:
            self.news.wait_for(lambda: found() or None in self.lines, timeout)
            match = found()
            lines = [line for line in self.lines + self.errors if line]
        if not match:
            self.process.kill()
            raise Failure(f"no line like {pattern}: {''.join(lines)}")
        return match

    def finish(self, timeout=60):
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as e:
            self.process.kill()
            raise Failure(f"does not end: {self.process.args}") from e
        for reader in self.readers:
            reader.join(timeout)
        return ("".join(line for line in self.lines if line),
                "".join(line for line in self.errors if line))


HOST_COMMANDS = {"list", "show", "top", "shutdown", "reboot", "freeze", "thaw", "metrics"}


def guest(rig, domid=5, name="web1", **fields):
    rig.domain(domid, name, **fields)
    rig.disk(domid, 51712, "xvda", IMAGE)
    rig.interface(domid, 0, "02:17:42:2F:01:01", "xenbr0")
    rig.agent(domid)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


def _run(program, preload, case):
    begin, verdict = time.monotonic(), "ok"
    try:
        with HostRig(program, preload) as rig:
            case(rig)
    except (Failure, OSError, KeyError, IndexError, ValueError, AssertionError,
            subprocess.SubprocessError) as e:
        verdict = f"FAILED: {type(e).__name__}: {e}"
    print(f"{case.__name__} ({time.monotonic() - begin:.2f} s): {verdict}", flush=True)
    return verdict == "ok"


def main(cases):
    """Run cases; arguments: program, preload library [case...]."""
    program, preload, *wanted = sys.argv[1:]
    if not os.access("/usr/lib/xen-4.17/bin/xenstored", os.X_OK):
        print("xenstored is not installed")
        sys.exit(77)
    cases = [c for c in cases if not wanted or c.__name__ in wanted]
    # most of the time goes by between two looks of top, so several at a time
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda case: _run(program, preload, case), cases))
    sys.exit(0 if all(results) else 1)
