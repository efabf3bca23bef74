# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with guests, made of network namespaces: dom0, the outside, and guests."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from netns import Failure, Namespace, cable, check
from packets import Ping, ping_all

PORT_MAC = "fe:ff:ff:ff:ff:ff"
# Looking for leaks is half of the time of a short run: for runs that differ from others in
# nothing that allocates.
NO_LEAK_CHECK = {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"}


def guest_mac(number):
    number += 0x100
    return f"02:17:42:2f:{number >> 8:02x}:{number & 255:02x}"


def link_local(mac):
    b = [int(x, 16) for x in mac.split(":")]
    b[0] ^= 2
    words = [b[0] << 8 | b[1], b[2] << 8 | 0xFF, 0xFE00 | b[3], b[4] << 8 | b[5]]
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(
        "fe80000000000000" + "".join(f"{w:04x}" for w in words)))


class Rig:
    """Everything of one case; closed at its end, whatever happened."""

    def __init__(self, program, fault_program=None, xenstore_preload=None):
        self.program, self.fault_program = program, fault_program
        self.xenstore_preload = xenstore_preload
        self.extra = {}  # environment of all that the case starts
        self.spaces, self.processes = [], []
        self.dir = tempfile.mkdtemp()
        self.runtime, self.network = f"{self.dir}/run", f"{self.dir}/network"
        self.config = f"{self.dir}/bridge.conf"
        self.dom0 = self.space("dom0")
        # An address that is in use at once needs no second for duplicate detection.
        for which in ("all", "default"):
            self.dom0.sysctl(f"ipv6/conf/{which}/accept_dad", 0)
        self.guests = {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for space in self.spaces:
            space.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def space(self, name):
        space = Namespace(name)
        self.spaces.append(space)
        space.sysctl("ipv6/conf/default/accept_dad", 0)
        return space

    def directories(self):
        return ["--runtime-dir", self.runtime, "--network-dir", self.network,
                "--config", self.config]

    def environment(self, **extra):
        return {**os.environ, "XENSTORED_PATH": f"{self.dir}/no-xenstored", **self.extra, **extra}

    def bridge(self, *words, status=0, program=None, env=None, dirs=True):
        """Run "xenpv bridge WORDS"; returns what it printed. Its status has to be @status."""
        command = [program or self.program, "bridge", *words]
        if dirs:
            command += self.directories()
        result = self.dom0.run(*command, env=env or self.environment())
        if status is not None and result.returncode != status:
            raise Failure(f"xenpv bridge {' '.join(words)}: status {result.returncode}, not "
                          f"{status}: {result.stderr.strip()} {result.stdout.strip()}")
        self.stderr = result.stderr
        self.status = result.returncode
        return result.stdout

    def refuse(self, status, text, *words):
        """This has to be refused, with a message that has @text in it, and change nothing."""
        self.bridge(*words, status=status)
        check(text in self.stderr, f"{' '.join(words)}: {text!r} is not in {self.stderr!r}")

    def show(self, *names):
        return {b["name"]: b for b in
                json.loads(self.bridge("show", "--json", *names))["bridges"]}

    def nic(self, name, ns=None, peer=None):
        """A NIC of dom0, cabled to another namespace; returns that."""
        ns = ns or self.space(f"outside-{name}")
        cable(ns, peer or f"to-{name}", self.dom0, name)
        self.await_up(name)  # addresses come with the link
        return ns

    def guest(self, domid, handle, bridge, subnet=None):
        """A guest's VNIF, put on a bridge as the stock vif-bridge script does."""
        name = f"guest{domid}"
        if domid not in self.guests:
            self.guests[domid] = self.space(name)
        guest, port, inside = self.guests[domid], f"vif{domid}.{handle}", f"eth{handle}"
        cable(self.dom0, port, guest, inside, guest_mac(domid * 16 + handle))
        self.dom0.ip(f"link set {port} down", f"link set {port} address {PORT_MAC}",
                     f"link set {port} master {bridge}", f"link set {port} up")
        if subnet is not None:
            guest.ip(f"address add 10.{subnet}.0.{10 + domid}/24 dev {inside}",
                     f"address add fd00:{subnet}::{10 + domid}/64 dev {inside}")
        return guest

    def watch(self):
        """Start "xenpv bridge watch" and wait until it is ready."""
        path = f"{self.dir}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(30)
            self.watch_log = open(f"{self.dir}/watch.log", "wb")
            process = self.dom0.start(self.program, "bridge", "watch", *self.directories(),
                                      env=self.environment(NOTIFY_SOCKET=path),
                                      stderr=self.watch_log)
            self.processes.append(process)
            while b"READY=1" not in notify.recv(4096):
                pass
        os.unlink(path)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            check(process.wait(20) == 0, f"watch ended with {process.returncode}")
        except subprocess.TimeoutExpired as e:
            raise Failure("watch did not end") from e
        self.watch_log.close()

    def watch_logged(self):
        with open(f"{self.dir}/watch.log", encoding="utf-8") as f:
            return f.read()

    def await_(self, condition, what, limit=10.0):
        """For what gives no event to this process. @what: a text, or what makes one."""
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"not within {limit} s: {what() if callable(what) else what}")
            time.sleep(0.02)

    def await_up(self, *links):
        """Until these links of dom0 carry frames, which the kernel looks at once a second."""
        self.await_(lambda: all(self.dom0.links()[name]["operstate"] == "UP" for name in links),
                    f"the links of {', '.join(links)}")

    def await_guarded(self, port, limit=10.0):
        """Until the watch has closed a port to dom0."""
        self.await_(lambda: "bpf" in self.dom0.run("tc", "filter", "show", "dev", port,
                                                   "ingress").stdout, f"a filter on {port}",
                    limit)
        self.await_(lambda: self.dom0.sysctl(f"ipv6/conf/{port}/disable_ipv6") == "1",
                    f"{port} without IPv6")


def expect_matrix(rows, quiet=1.0):
    """rows: (namespace, interface, address, wanted). All at once; raises with what is wrong."""
    pings = [Ping(ns, interface, address) for ns, interface, address, _ in rows]
    wrong = ping_all(pings, [wanted for *_, wanted in rows], quiet)
    check(not wrong, "; ".join(wrong))
