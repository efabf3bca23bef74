# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces, as long as somebody holds them: no name, no mount, nothing to clean up."""

import ctypes
import errno
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
SCRATCH = "xenpv-bridge"
libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """This kernel lacks what the case needs."""


class Failure(Exception):
    """What was to be true is not."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def _call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _setns(fd):
    _call("setns", fd, CLONE_NEWNET)


def contained(function):
    """Run @function in a child and return its exit status. All that the child starts ends with
    it, and the child with this process, however that ends: it is the first process of a PID
    namespace, where the kernel has them. What it makes in temporary directories is removed,
    also by the next run."""
    for path in glob.glob(f"{tempfile.gettempdir()}/{SCRATCH}.*.*"):
        if not os.path.exists(f"/proc/{path.split('.')[-2]}"):
            shutil.rmtree(path, ignore_errors=True)
    scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}.{os.getpid()}.")
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    contain = libc.unshare(CLONE_NEWPID | CLONE_NEWNS) == 0
    if not contain and ctypes.get_errno() != errno.EINVAL:
        raise OSError(ctypes.get_errno(), "unshare")
    if contain:
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    child = os.fork()
    if child == 0:
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if contain:
            _call("mount", b"proc", b"/proc", b"proc", 0, None)
        for number in signals:
            signal.signal(number, lambda n, _: sys.exit(128 + n))
        tempfile.tempdir = scratch
        sys.exit(function())
    for number in signals:
        signal.signal(number, lambda n, _: os.kill(child, n))
    _, status = os.waitpid(child, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    return os.waitstatus_to_exitcode(status)


class Namespace:
    """A network namespace. "with ns:" puts this thread in it; sockets made there stay in it."""

    def __init__(self, name):
        self.name = name
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _call("unshare", CLONE_NEWNET)
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

    def json_batch(self, *lines, options=()):
        """The same for several commands in one run of ip(8); a list of what each printed."""
        result = self.run("ip", "-json", *options, "-batch", "-", input="\n".join(lines) + "\n")
        if result.returncode:
            raise Failure(f"{self.name}: ip {lines}: {result.stderr.strip()}")
        found, text, decoder = [], result.stdout.strip(), json.JSONDecoder()
        while text:
            value, end = decoder.raw_decode(text)
            found.append(value)
            text = text[end:].lstrip()
        check(len(found) == len(lines), f"{self.name}: ip {lines}: {len(found)} answers")
        return found

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
