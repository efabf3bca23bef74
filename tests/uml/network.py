# SPDX-License-Identifier: GPL-2.0-or-later
"""The network of a case: a namespace of its own with bridges, as a dom0 has them."""

import json
import os
import subprocess

from harness import CaseFailed, CaseSkipped
from net.netns import Failure, Namespace

from .process import Process

SERVER = "traffic"


class Network:
    """
    A network namespace; "with network:" puts this thread in it. Bridge xenbrN has the
    addresses 10.77.N.1 and fd77:N::1, and guest G on it those of hosts() below.
    """

    def __init__(self, env):
        self._env = env
        self.environ = env.environ
        self.tools = env.tools / "tests/net-tools"
        self._mtu = {}
        self._processes = []
        self._closing = []
        self._server = None
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise CaseSkipped("this machine has no /dev/net/tun")
        try:
            self.space = Namespace("bench")
        except OSError as error:
            raise CaseSkipped(f"no network namespaces: {error}") from error
        if not self.space.ip("link add probe0 type bridge", "link del probe0", may_fail=True):
            self.close()
            raise CaseSkipped("this kernel has no bridges")
        for setting in ("accept_dad", "accept_ra", "router_solicitations"):
            self.space.sysctl(f"ipv6/conf/default/{setting}", 0)

    def __enter__(self):
        return self.space.__enter__()

    def __exit__(self, *error):
        return self.space.__exit__(*error)

    def ip(self, *lines):
        """Lines of ip(8), all in one run of it."""
        try:
            return self.space.ip(*lines)
        except Failure as error:
            raise CaseFailed(str(error)) from error

    def links(self):
        """What ip says of each interface, by name."""
        return self.space.links()

    def json(self, *words):
        """What "ip -json" with these words prints."""
        return self.space.json(*words)

    def run(self, *command, timeout=60, check=True):
        """A program in the namespace; its standard output."""
        done = self.space.run(
            *map(str, command), timeout=self._env.scaled(timeout), env=self.environ
        )
        if check and done.returncode:
            raise CaseFailed(f"host: {command} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def tool(self, name, *arguments, timeout=60):
        """One of tests/net-tools; its result."""
        return json.loads(
            self.run(self.tools / name, *arguments, timeout=timeout).splitlines()[-1]
        )

    def start(self, name, *arguments):
        """A program of tests/net-tools in the background; see Job."""
        job = Job(self, name, arguments)
        self._processes.append(job)
        return job

    def bridge(self, number=0, mtu=1500):
        """Make a bridge, if it is not there, with addresses; its name."""
        name = f"xenbr{number}"
        if name not in self._mtu:
            self._mtu[name] = mtu
            self.ip(
                f"link add {name} type bridge forward_delay 0 mcast_snooping 0",
                # or the bridge would take the MTU and the address of its first port
                f"link set {name} address 02:77:00:00:00:{number:02x} mtu {mtu}",
                f"link set {name} up",
                f"addr add 10.77.{number}.1/24 dev {name}",
                f"addr add fd77:{number}::1/64 dev {name} nodad",
            )
        return name

    def mtu(self, bridge):
        """What a port of this bridge is to have."""
        if bridge not in self._mtu:
            raise CaseFailed(f"there is no bridge {bridge}")
        return self._mtu[bridge]

    def serve(self):
        """The server of traffic, on all addresses; once."""
        if self._server is None:
            self._server = self.start(SERVER, "serve")
            self._server.await_line("port")

    def onclose(self, function):
        """Call this at the end; what came last, first."""
        self._closing.append(function)

    def close(self):
        for function in reversed(self._closing):
            function()
        for job in self._processes:
            job.kill()
        self.space.close()


class Job:
    """A program that runs in the namespace, or another one."""

    def __init__(self, network, name, arguments, space=None):
        self._env = network._env
        self.name = name
        where = "outside" if space else "host"
        self.log = self._env.logs / f"{where}-{name}-{len(network._processes)}.log"
        with space or network:
            self._process = Process(
                [str(network.tools / name), *map(str, arguments)],
                self.log,
                env=network.environ,
            )

    @property
    def text(self):
        return self._process.text()

    @property
    def done(self):
        return not self._process.running

    def await_line(self, word, timeout=20):
        """Until it has printed this."""

        def there():
            if word in self.text:
                return True
            if not self._process.running:
                raise CaseFailed(f"{self.name} on the host ended: {self.text.strip()}")
            return False

        self._env.await_(there, f"{word!r} from {self.name} on the host", timeout)

    def wait(self, timeout=60, rc=0):
        """Wait for its end; its result."""
        status = self._process.wait(self._env.scaled(timeout))
        if status is None:
            raise CaseFailed(f"{self.name} on the host is not done after {timeout} s")
        if status != rc:
            raise CaseFailed(f"{self.name} on the host ended with {status}: {self.text.strip()}")
        return json.loads(self.text.strip().splitlines()[-1])

    def signal(self, number):
        self._process.signal(number)

    def kill(self):
        try:
            self._process.kill()
        except subprocess.TimeoutExpired:
            pass
