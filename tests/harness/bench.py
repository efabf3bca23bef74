# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test case may ask of a bench.

tests/uml/bench.py and tests/lab/bench.py implement these classes. Every call has a
time limit in seconds (emulated machines are slow: a bench may scale it).
"""

from dataclasses import dataclass, field


def parse_size(size):
    """Bytes of a size like 512, "64K", "64M" or "2G"."""
    if isinstance(size, int):
        return size
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    if size[-1:].upper() in units:
        return int(size[:-1]) * units[size[-1].upper()]
    return int(size)


class CaseFailed(Exception):
    """An expectation of the case did not hold; the text says which and what was seen."""


class CaseSkipped(Exception):
    """The bench or machine lacks what the case needs; the text says what."""


@dataclass
class Result:
    """How a command ended: exit status and its standard output and error, as text."""

    rc: int
    out: str
    err: str = ""


@dataclass
class Disk:
    """One disk line of a guest, as `xl` writes it: target path, vdev name, r, w or w!."""

    path: str
    vdev: str
    mode: str = "w"
    options: dict = field(default_factory=dict)  # e.g. {"discard": "0", "trusted": "0"}

    def spec(self):
        return f"{self.path},raw,{self.vdev},{self.mode}"


@dataclass
class Nic:
    """One vif line of a guest, as `xl` writes it; without mac one is chosen."""

    bridge: str = "xenbr0"
    mac: str = ""
    options: dict = field(default_factory=dict)  # e.g. {"rate": "10Mb/s", "mtu": "9000"}

    def spec(self):
        words = {"mac": self.mac, "bridge": self.bridge, **self.options}
        return ",".join(f"{key}={value}" for key, value in words.items() if value)


class Image:
    """A raw image file on the host; .path is its host path, .size in bytes."""

    path: str
    size: int

    def disk(self, vdev, mode="w", **options):
        return Disk(self.path, vdev, mode, options)

    def resize(self, size):
        raise NotImplementedError


class Host:
    """dom0 of the lab, or this machine on the fast bench."""

    def run(self, command, timeout=60, check=True) -> Result:
        """Run a shell command; with check, a non-zero exit raises CaseFailed."""
        raise NotImplementedError

    def read(self, path) -> bytes:
        raise NotImplementedError

    def write(self, path, data: bytes, mode=0o644):
        raise NotImplementedError

    def xs_read(self, path):
        """The value of a xenstore node, or None."""
        raise NotImplementedError

    def xs_write(self, path, value):
        raise NotImplementedError


class Backend:
    """What serves vbds: kind is xenpv-backendd, blkback, qdisk or none."""

    kind: str

    def kill_broker(self):
        """SIGKILL the broker; the service manager (or bench) starts it again."""
        raise NotImplementedError

    def kill_worker(self, guest):
        """SIGKILL the worker process of a guest."""
        raise NotImplementedError

    def restart(self):
        """An orderly restart, as `systemctl restart xenpv-backendd` does it."""
        raise NotImplementedError

    def log(self) -> str:
        raise NotImplementedError


class Guest:
    """A running guest with a command channel that needs no disk and no network."""

    domid: int
    kind: str  # pv, pvh, hvm, uml

    def run(self, command, timeout=60, check=True) -> Result:
        raise NotImplementedError

    def start(self, command):
        """Start a command in the background; returns an object with wait(timeout) -> Result."""
        raise NotImplementedError

    def attach(self, disk, timeout=30, check=True) -> Result:
        """xl block-attach; with check, waits until /dev/<vdev> exists in the guest."""
        raise NotImplementedError

    def detach(self, vdev, timeout=30, check=True) -> Result:
        """xl block-detach; with check, waits until /dev/<vdev> is gone."""
        raise NotImplementedError

    def attach_nic(self, nic, timeout=30) -> int:
        """xl network-attach; its number (devid), when the guest has the interface."""
        raise NotImplementedError

    def detach_nic(self, number, timeout=30):
        """xl network-detach; returns when the interface is gone in the guest."""
        raise NotImplementedError

    def interface(self, number=0) -> str:
        """Name in the guest of the interface that has this number."""
        raise NotImplementedError

    def sectors(self, vdev) -> int:
        """Size of a disk as the guest sees it, in 512-byte sectors."""
        raise NotImplementedError

    def grants(self) -> int:
        """Grant references of this guest in use, as the hypervisor counts them."""
        raise NotImplementedError

    def dmesg(self) -> str:
        raise NotImplementedError

    def shutdown(self, timeout=60):
        """xl shutdown -w."""
        raise NotImplementedError

    def destroy(self):
        """xl destroy: the guest is gone at once, nothing is flushed by it."""
        raise NotImplementedError

    def save_restore(self, timeout=120):
        """xl save, xl restore (the fast bench: suspend and resume into a new domain id)."""
        raise NotImplementedError


class Env:
    """Handed to a case. Whatever it made is gone after the case."""

    host: Host
    backend: Backend
    notes: dict  # figures to print on the result line and keep in the JSON results
    allowed: list  # patterns of log lines that this case provokes on purpose

    def note(self, key, value):
        """Record a figure; it stands on the result line."""
        self.notes[key] = value

    def allow_log(self, pattern):
        """Log lines that match this regular expression are expected in this case."""
        self.allowed.append(pattern)

    def abort(self):
        """Called from another thread when time is up: make every call in progress fail."""

    def image(self, size, name=None, content=None) -> Image:
        """A new sparse raw image; size like "64M". content: bytes written at its start."""
        raise NotImplementedError

    def guest(self, disks=(), vcpus=1, memory=None, **options) -> Guest:
        """Create a guest of the kind that the case runs for and wait until it answers."""
        raise NotImplementedError

    def await_(self, condition, what, timeout=30):
        """Wait until condition() is true; CaseFailed naming `what` when it is not in time."""
        raise NotImplementedError

    def check(self, condition, message):
        if not condition:
            raise CaseFailed(message)

    def skip(self, why):
        raise CaseSkipped(why)


class Bench:
    """What runs the cases: tests/<name>/bench.py defines a class Bench with this interface."""

    name: str
    parallel = 1  # cases at a time
    time_scale = 1.0  # of the limit that a case gives for itself

    def __init__(self, options):
        """@options: the parsed command line of tests/run."""
        self.options = options

    def variants(self, case):
        """How often and as what a case runs, e.g. ["pv", "pvh"]; "" adds nothing to its name."""
        raise NotImplementedError

    def start(self, cases):
        """Once, before the first case: build, boot. CaseSkipped or CaseFailed hits all cases."""

    def open(self, case, variant, logs):
        """An Env for one run; @logs is a Path for its logs (the bench makes it)."""
        raise NotImplementedError

    def excuse(self, env):
        """Why a case that has just failed is run once more, as a key for its notes; or ""."""
        return ""

    def close(self, env, failed):
        """Undo all that the case did; returns complaints found in the logs, as text lines."""
        raise NotImplementedError

    def stop(self):
        """Once, after the last case, also when start() failed."""
