# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces of a guest of the fast bench, and programs of tests/net-tools in it."""

import dataclasses
import json
import signal

from harness import CaseFailed

from .toolstack import ToolstackError


class Nics:
    """The half of Guest that is about interfaces; they are known by their number (devid)."""

    def nic_nodes(self, number, nic):
        """Nodes of an interface that is to have this number."""
        if not nic.mac:
            tail = f"{self._env.guests.index(self):02x}:{number:02x}"
            nic = dataclasses.replace(nic, mac=f"00:16:3e:77:{tail}")
        self.nic_options[number] = nic
        self._env.toolstack.vif_nodes(self.domid, number, nic)

    def attach_nic(self, nic, timeout=30, number=None):
        if number is None:
            number = next(n for n in range(1000) if n not in self.nic_options)
        try:
            self.nic_nodes(number, nic)
            self._env.toolstack.finish_attach_vif(self.domid, number)
        except ToolstackError as error:
            self.nic_options.pop(number, None)
            raise CaseFailed(f"attach failed: {error}") from error
        self.await_nic(number, timeout)
        return number

    def detach_nic(self, number, timeout=30):
        self.nic_options.pop(number)
        if not self._env.toolstack.detach(self.domid, f"vif{number}"):
            raise CaseFailed(f"detach of vif{number}: the backend did not close in time")
        self.await_device_gone(f"vif{number}", timeout)

    def _names(self, number):
        names = (self.read(f"/sys/devices/vif-{number}/net") or "").split()
        return [name for name in names if not name.startswith(".")]

    def has_nic(self, number):
        """Whether the guest has an interface of this number, connected or not."""
        return bool(self._names(number))

    def await_nic(self, number, timeout=30):
        """Until the guest has the interface and its driver is connected."""
        front = f"/local/domain/{self.domid}/device/vif/{number}/state"

        def there():
            return self.has_nic(number) and self._env.store.read(front) == "4"

        self._env.await_(there, f"interface {number} in {self.name}", timeout)

    def interface(self, number=0):
        names = self._names(number)
        if not names:
            raise CaseFailed(f"{self.name} has no interface {number}")
        return names[0]

    def vif_backend(self, number=0):
        """The xenstore directory of the interface's backend."""
        return self._env.toolstack.paths(self.domid, f"vif{number}")[0]

    def tap(self, number=0):
        """Name on the host of the other end of an interface."""
        return f"vif{self.domid}.{number}"

    def address(self, number=0, family=4, bridge=None):
        """Of the interface, on its bridge; see Network."""
        bridge = self._bridge(number) if bridge is None else bridge
        host = 10 + self._env.guests.index(self)
        return f"10.77.{bridge}.{host}" if family == 4 else f"fd77:{bridge}::{host:x}"

    def host_address(self, number=0, family=4):
        """Of the host, as seen from this interface."""
        bridge = self._bridge(number)
        return f"10.77.{bridge}.1" if family == 4 else f"fd77:{bridge}::1"

    def _bridge(self, number):
        return int(self.nic_options[number].bridge.removeprefix("xenbr"))

    def vif_stat(self, name, number=0):
        """What xen-vnif says of itself in debugfs; counters are numbers."""
        for line in self.read(f"/sys/kernel/debug/xenpv/vif-{number}/stats").splitlines():
            word, value = line.split()[:2]
            if word == name:
                return int(value) if value.isdigit() else value
        raise CaseFailed(f"xen-vnif has no counter {name}")

    def ip(self, *lines):
        """Lines for ip, which is busybox's here and knows less than iproute2's."""
        return self.run(" && ".join(f"ip {line}" for line in lines)).out

    def configure(self, *numbers):
        """Bring interfaces up with their addresses; all without numbers."""
        lines = []
        # The larger of two values counts.
        self.write("/proc/sys/net/ipv6/conf/all/accept_dad", "0")
        for number in numbers or sorted(self.nic_options):
            name = self.interface(number)
            for setting in ("accept_dad", "accept_ra", "router_solicitations"):
                self.write(f"/proc/sys/net/ipv6/conf/{name}/{setting}", "0")
            lines += [
                f"link set {name} up",
                f"addr add {self.address(number)}/24 dev {name}",
                f"addr add {self.address(number, 6)}/64 dev {name}",
            ]
        self.ip(*lines)

    @property
    def tools(self):
        """Where the programs of tests/net-tools are, here as on the host."""
        return self._env.net.tools

    def _command(self, name, arguments):
        return f"exec {self.tools / name} {' '.join(map(str, arguments))}"

    def tool(self, name, *arguments, timeout=60, check=True):
        """A program of tests/net-tools in the guest; its result, None if it failed unchecked."""
        done = self.run(self._command(name, arguments), timeout, check)
        return json.loads(done.out.splitlines()[-1]) if done.rc == 0 else None

    def start_tool(self, name, *arguments):
        """The same in the background; see Running."""
        return Running(self, self._command(name, arguments))

    def traffic(self, *arguments, **options):
        return self.tool("traffic", *arguments, **options)

    def offload(self, *arguments, number=0, **options):
        return self.tool("offload", self.interface(number), *arguments, **options)


class Running:
    """A program of tests/net-tools that runs in a guest."""

    def __init__(self, guest, command):
        self._guest = guest
        self._env = guest._env
        # The shell becomes the program, so that this is its process id too.
        self._pending = guest.start(f"echo $$; {command}")
        self._env.await_(lambda: self._lines(), "a program to start in the guest")

    def _lines(self):
        text = self._pending.output.decode(errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    @property
    def done(self):
        return self._pending.done

    @property
    def pid(self):
        """Its process id in the guest."""
        return int(self._lines()[0])

    def await_line(self, word, timeout=20):
        """Until it has printed this."""

        def there():
            if any(word in line for line in self._lines()):
                return True
            if self._pending.done:
                raise CaseFailed(f"it ended: {self._pending.wait(1)}")
            return False

        self._env.await_(there, f"{word!r} from a program in {self._guest.name}", timeout)

    def received(self):
        """Of a stream with --progress: bytes that came back so far."""
        if self._pending.done:
            raise CaseFailed(f"the stream has ended: {self._pending.wait(1)}")
        lines = self._lines()[1:]
        return json.loads(lines[-1])["received"] if lines else 0

    def await_more(self, count=1, timeout=60):
        """Until the stream has moved by so many bytes, from now on."""
        before = self.received()
        self._env.await_(
            lambda: self.received() >= before + count, f"the stream to go on at {before}", timeout
        )

    def stop(self, timeout=60):
        """SIGTERM, and its result."""
        self._guest.run(f"kill -{int(signal.SIGTERM)} {self.pid}")
        return self.wait(timeout)

    def wait(self, timeout=60, rc=0):
        done = self._pending.wait(self._env.scaled(timeout))
        if done.rc != rc:
            raise CaseFailed(f"{self._guest.name}: {self._pending.what} ended with {done.rc}: "
                             f"{(done.err or done.out).strip()[-500:]}")
        return json.loads(done.out.splitlines()[-1])
