# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of the lab: made by plain `xl create`, steered over xenstore."""

import re
import shlex
import time

import harness
from harness import CaseFailed

from .channel import ChannelError
from .host import Dom

MEMORY = {"tiny": 192, "debian": 512, "stock": 512, "roots": 256}
PARAMETERS = "console=hvc0 loglevel=5 mitigations=off random.trust_cpu=on"
# How long from `xl create` until labd in the guest answers, in seconds.
BOOT_LIMIT = {"tiny": 120, "debian": 240, "stock": 300, "roots": 240, "hvm": 400}
# QEMU's emulation of SVM lets a booting guest run on in Xen's state now and then, most of all on
# a busy machine. It stops in a code segment and at an address that only Xen itself has, or
# elsewhere before its kernel has written a line: long before it loads a module.
TRIPLE_FAULT = re.compile(r"Triple fault")
XEN_STATE = re.compile(r"Triple fault.*?RIP: +e008:\[<ffff82d0", re.DOTALL)
BOOT_ATTEMPTS = 3


def disk_spec(disk, backend):
    """The disk as `xl` reads it."""
    words = [disk.spec()]
    if backend == "qdisk":
        words.append("backendtype=qdisk")
    for key, value in disk.options.items():
        if key == "discard":
            words.append("discard" if value in ("1", True) else "no-discard")
        elif key == "trusted":
            words.append("trusted" if value in ("1", True) else "untrusted")
        else:
            words.append(f"{key}={value}")
    return ",".join(words)


# Prints "handle interface" for each vif of the guest that has one.
INTERFACES = (
    "for d in /sys/bus/xen/devices/vif-*/net/*; do "
    "[ -e \"$d\" ] && echo \"$d\" | sed 's,.*/vif-\\([0-9]*\\)/net/\\(.*\\),\\1 \\2,'; done"
)


class Guest(Dom, harness.Guest):
    """One domain; .domid changes when it is restored."""

    def __init__(self, env, name, kind, frontend, scale, suite=""):
        super().__init__(env.host.channel, 0, name, scale)
        self._env = env
        self._host = env.host
        self._open = False
        self.kind = kind
        self.frontend = frontend
        self.suite = suite
        self.console = f"/var/log/xen/console/guest-{name}.log"
        self.boot_seconds = None
        # What serves other guests from this one, a host.Backend.
        self.backend = None
        self._config = f"{env.folder}/{name}.cfg"
        self._limit = None

    def create(self, disks, vcpus, memory, image="tiny", append="", config="", nics=()):
        """xl create, and wait until labd in the guest answers."""
        self._limit = BOOT_LIMIT["hvm" if self.kind == "hvm" else image]
        specs = ", ".join(f'"{disk_spec(d, self._env.backend.kind)}"' for d in disks)
        interfaces = ", ".join(f'"{nic.spec()}"' for nic in nics)
        text = f"""\
name = "{self.name}"
type = "{self.kind}"
{self._boot_lines(image, append)}
memory = {memory or MEMORY[image]}
maxmem = {memory or MEMORY[image]}
vcpus = {vcpus}
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "preserve"
tsc_mode = "native"
disk = [{specs}]
vif = [{interfaces}]
{config}
"""
        self._host.write(self._config, text.encode())
        self._boot()

    def _boot_lines(self, image, append):
        """What boots: the guest's own menu, or files of the payload."""
        if image == "stock":
            return 'bootloader = "pygrub"\nbootloader_args = ["--quiet"]'
        # What is made for the kernel of another suite is called so, see images/payload.py.
        suite = f"-{self.suite}" if self.suite else ""
        ramdisk = f"tiny-{self.frontend}{suite}.img" if image == "tiny" else f"{image}.img"
        append = f"{append} root=LABEL=xenpv-guest ro" if image == "debian" else append
        if self.kind == "hvm":
            # Each access to PCI configuration space goes through QEMU: don't search it all.
            append += " pci=noearly,lastbus=0"
        return f"""\
kernel = "/lab/{"vmlinuz" if self.kind == "hvm" else "vmlinux"}{suite}"
ramdisk = "/lab/{ramdisk}"
extra = "{PARAMETERS} lab.name={self.name} {append}"
"""

    def _boot(self, settings=""):
        for left in reversed(range(BOOT_ATTEMPTS)):
            begun = time.monotonic()
            before = len(self._env.xen_log())
            try:
                self._host.run(f"xl create -q {self._config} {settings}", timeout=120)
                self._connect(self._limit)
                break
            except CaseFailed:
                if not left or not self._is_emulators(self._env.xen_log()[before:]):
                    raise
                self._env.note("emulator_faults", BOOT_ATTEMPTS - left)
                self._forget()
                self._host.run(f"xl destroy {self.name}", check=False)
                self._env.await_(
                    lambda: self._host.run(f"xl domid {self.name}", check=False).rc != 0,
                    f"{self.name} to be gone",
                )
        self.boot_seconds = time.monotonic() - begun

    def _is_emulators(self, log):
        """Whether the emulator's fault kept the guest from booting. log: Xen's, of this boot."""
        silent = self._host.run(f"test -s {self.console}", check=False).rc != 0
        return XEN_STATE.search(log) or (silent and TRIPLE_FAULT.search(log))

    def _alive(self):
        """Whether the domain is there, and has not stopped by itself."""
        # The line ends with the state, of which three letters say s, c and d, and the time.
        words = self._host.run(f"xl list {self.domid}", check=False).out.split()
        return words[-2:-1] != [] and words[-2].endswith("---")

    def restart(self, entry=None, timeout=90):
        """The guest reboots, asked by the host; from its own disk if it is one of pygrub's.

        entry: number of the entry of its boot menu, if not the default one.
        """
        self._host.run(f"xl reboot -w {self.domid}", timeout=timeout)
        # It is the xl that watches the domain that ends it, a moment later.
        self._env.await_(
            lambda: self._host.run(f"xl list {self.domid}", check=False).rc != 0,
            f"domain {self.domid} to be gone",
        )
        self._forget()
        settings = f'bootloader_args=["--entry={entry}"]' if entry is not None else ""
        self._boot(shlex.quote(settings) if settings else "")

    def _connect(self, timeout):
        self.domid = int(self._host.run(f"xl domid {self.name}").out)
        self.channel.guest_open(self.domid)
        self._open = True
        try:
            self.channel.hello(self.domid, timeout, self._alive)
        except ChannelError as error:
            log = self._host.run(f"tail -n 8 {self.console}", check=False).out
            raise CaseFailed(
                f"{self.name} did not come up: {error}; its console ends with: "
                + " / ".join(log.split("\n"))
            ) from error

    def attach(self, disk, timeout=30, check=True):
        """Without check the result has refused_after: seconds from the first node of the
        device in xenstore to its hotplug-error, or None when there was none.
        """
        spec = disk_spec(disk, self._env.backend.kind)
        command = f"xl block-attach {self.domid} {shlex.quote(spec)}"
        if not check:
            return self._attach_watched(command, timeout)
        result = self._host.run(command, timeout=timeout)
        self._env.await_(
            lambda: self.run(f"test -b /dev/{disk.vdev}", check=False).rc == 0,
            f"/dev/{disk.vdev} in {self.name}",
            timeout,
        )
        return result

    def _attach_watched(self, command, timeout):
        # bash has the time without starting a process.
        watch = self._host.start(
            f"exec bash -c 'xenstore-watch /local/domain/0/backend/vbd/{self.domid} | "
            'while read -r path; do echo "$EPOCHREALTIME $path"; done\''
        )
        self._env.await_(lambda: watch.output, "the watch to be set", 10)
        result = self._host.run(command, timeout=timeout, check=False)
        watch.kill()
        events = [line.split() for line in watch.wait().out.splitlines()[1:]]
        errors = [float(when) for when, path in events if path.endswith("/hotplug-error")]
        result.refused_after = errors[0] - float(events[0][0]) if errors else None
        return result

    def detach(self, vdev, timeout=30, check=True):
        result = self._host.run(
            f"xl block-detach {self.domid} {vdev}", timeout=timeout, check=check
        )
        if check:
            self._env.await_(
                lambda: self.run(f"test -e /dev/{vdev}", check=False).rc != 0,
                f"/dev/{vdev} to be gone from {self.name}",
                timeout,
            )
        return result

    def _interfaces(self):
        lines = self.run(INTERFACES, check=False).out.splitlines()
        return {int(handle): name for handle, name in map(str.split, lines)}

    def interface(self, handle=0, timeout=30):
        self._env.await_(
            lambda: handle in self._interfaces(),
            f"the interface of vif {handle} in {self.name}",
            timeout,
        )
        return self._interfaces()[handle]

    def attach_nic(self, nic, timeout=30):
        home = f"/local/domain/{self.domid}/device/vif"
        before = set(self._host.run(f"xenstore-list {home}", check=False).out.split())
        words = " ".join(nic.spec().split(","))
        self._host.run(f"xl network-attach {self.domid} {words}", timeout=timeout)
        after = set(self._host.run(f"xenstore-list {home}").out.split())
        (handle,) = after - before
        self.interface(int(handle), timeout)
        return int(handle)

    def detach_nic(self, handle, timeout=30):
        self._host.run(f"xl network-detach {self.domid} {handle}", timeout=timeout)
        self._env.await_(
            lambda: handle not in self._interfaces(),
            f"vif {handle} to be gone from {self.name}",
            timeout,
        )

    def sectors(self, vdev):
        return int(self.run(f"cat /sys/class/block/{vdev}/size").out)

    def grants(self):
        return int(self._host.run(f"lab-grants {self.domid}").out)

    def dmesg(self):
        return self.run("dmesg").out

    def shutdown(self, timeout=60):
        self._host.run(f"xl shutdown -w {self.domid}", timeout=timeout)
        self._forget()

    def destroy(self):
        self._host.run(f"xl destroy {self.domid}", timeout=60)
        self._forget()

    def gone(self):
        """It was shut down by other means than shutdown() and destroy()."""
        self._forget()

    def _forget(self):
        if self._open:
            self._open = False
            self.channel.guest_close(self.domid)

    @property
    def running(self):
        """False after shutdown() or destroy()."""
        return self._open

    def save_restore(self, timeout=120):
        state = f"{self._env.folder}/{self.name}.save"
        self._host.run(f"xl save {self.domid} {state}", timeout=timeout)
        self._host.run(f"xl restore {state} && rm {state}", timeout=timeout)
        domid = int(self._host.run(f"xl domid {self.name}").out)
        self.channel.guest_move(self.domid, domid)
        self.domid = domid
        self.run("true", timeout=60)

