# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces, as long as somebody holds them: no name, no mount, nothing to clean up."""

import ctypes
import json
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """This kernel lacks what the case needs."""


class Failure(Exception):
    """What was to be true is not."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def _setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network namespace. "with ns:" puts this thread in it; sockets made there stay in it."""

    def __init__(self, name):
        self.name = name
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _setns(self.home)
        self.ip("link set lo up")

    def __enter__(self):
        _setns(self.fd)
        return self

    def __exit__(self, *unused):
        _setns(self.home)

    def close(self):
        os.close(self.fd)
        os.close(self.home)

    def run(self, *command, timeout=60, **options):
        """Run a program in here; returns the completed process, whatever its exit status."""
        with self:
            return subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                                  check=False, **options)

    def start(self, *command, **options):
        with self:
            return subprocess.Popen(command, **options)

    def ip(self, *lines, program="ip", may_fail=False):
        """Lines of ip(8), all in one run of it."""
        result = self.run(program, "-batch", "-", input="\n".join(lines) + "\n")
        if result.returncode and not may_fail:
            raise Failure(f"{self.name}: {program} {lines}: {result.stderr.strip()}")
        return result.returncode == 0

    def tc(self, *lines, **options):
        return self.ip(*lines, program="tc", **options)

    def json(self, *words, program="ip"):
        result = self.run(program, "-json", *words)
        if result.returncode:
            raise Failure(f"{self.name}: {program} {words}: {result.stderr.strip()}")
        return json.loads(result.stdout or "[]")

    def sysctl(self, path, value=None):
        """Read or write below /proc/sys/net, which shows the reader's namespace."""
        with self:
            with open(f"/proc/sys/net/{path}", "r" if value is None else "w",
                      encoding="ascii") as f:
                if value is None:
                    return f.read().strip()
                f.write(str(value))
        return None

    def links(self):
        return {link["ifname"]: link for link in self.json("-details", "link", "show")}


def cable(left, left_name, right, right_name, right_mac=None):
    """A pair of interfaces, one end in each namespace, both up."""
    address = f"address {right_mac}" if right_mac else ""
    # by descriptor of this process, which "ip" reaches through /proc
    left.ip(f"link add {left_name} type veth peer name {right_name} {address} "
            f"netns /proc/{os.getpid()}/fd/{right.fd}")
    left.ip(f"link set {left_name} up")
    right.ip(f"link set {right_name} up")


def have_link_type(kind, options=""):
    """Can this kernel make interfaces of this kind? Its module is loaded if it is there."""
    with_kind = Namespace("probe")
    try:
        with_kind.ip("link add lower0 type veth peer name lower1")
        return with_kind.ip(f"link add link lower0 name probe0 type {kind} {options}"
                            if kind == "vlan" else f"link add probe0 type {kind} {options}",
                            may_fail=True)
    finally:
        with_kind.close()


def need_link_type(kind, module, options=""):
    if not have_link_type(kind, options):
        raise Skip(f"the running kernel ({os.uname().release}) has no {module}")
