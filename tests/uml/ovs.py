# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch in the network namespace of a case, switching in user space."""

import os
import shutil
import subprocess
from pathlib import Path

from harness import CaseFailed

from .process import Process

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# Where Debian keeps the daemons.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class OpenVSwitch:
    """
    Daemons of their own, found by ovs-vsctl through OVS_RUNDIR, which hotplug scripts of the
    case get, too. The kernel's datapath is not needed: a bridge is a process, its ports are
    packet sockets. Those know nothing of checksums that are still to be made.
    """

    def __init__(self, env):
        missing = [n for n in ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl") if not program(n)]
        if missing or not os.access(SCHEMA, os.R_OK):
            env.skip("Open vSwitch is not installed (openvswitch-switch)")
        self._env = env
        self._folder = env.scratch / "ovs"
        self._folder.mkdir()
        env.environ["OVS_RUNDIR"] = str(self._folder)
        self._socket = self._folder / "db.sock"
        self._processes = []
        database = self._folder / "conf.db"
        self._run("ovsdb-tool", "create", database, SCHEMA)
        self._start("ovsdb-server", database, f"--remote=punix:{self._socket}")
        env.await_(self._socket.exists, "the database of Open vSwitch")
        self.vsctl("--no-wait", "init")
        self._start("ovs-vswitchd", f"unix:{self._socket}", "--disable-system")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.kill()

    def _start(self, name, *arguments):
        log = self._env.logs / f"host-{name}.log"
        with self._env.net:
            self._processes.append(
                Process([program(name), *map(str, arguments)], log, env=self._env.environ)
            )

    def _run(self, name, *arguments):
        done = subprocess.run(
            [program(name), *map(str, arguments)],
            env=self._env.environ,
            capture_output=True,
            text=True,
            timeout=self._env.scaled(30),
            check=False,
        )
        if done.returncode:
            raise CaseFailed(f"{name} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def vsctl(self, *words):
        """What ovs-vsctl prints."""
        return self._run("ovs-vsctl", "--timeout=20", *words)

    def bridge(self, name, address):
        """Make a bridge, with an address of the host."""
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
        self._env.net.ip(f"addr add {address} dev {name}", f"link set {name} up")

    def ports(self, bridge):
        return self.vsctl("list-ports", bridge).split()


def program(name):
    """Path of one of its programs, or None."""
    found = shutil.which(name, path=PATH)
    return Path(found) if found else None
