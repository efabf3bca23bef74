# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces for the tests of the broker: a network namespace, bridges, vifs as libxl has them."""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys

from control_rig import CONNECTED, Device, check

IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x2, 0x1000, 0x100, 0x4000
IFF_PERSIST = 0x800
TUNSETIFF = 0x400454ca
MAC = "00:16:3e:00:00:01"
ENTERED = "XENPV_TEST_NETNS"


def enter_namespace():
    """Run this program again in a network namespace of its own, or end as skipped."""
    if ENTERED not in os.environ:
        unshare = ["unshare", "--net", "--mount"]
        if os.geteuid() != 0:
            unshare.append("--map-root")
        for tool in ("unshare", "ip"):
            if not shutil.which(tool):
                print(f"{tool} is not installed")
                sys.exit(77)
        probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
        if probe.returncode != 0:
            print(f"no network namespaces here: {probe.stderr.strip()}")
            sys.exit(77)
        os.environ[ENTERED] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    # The stock scripts look at /sys/class/net; without the mount they see the host's.
    subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], capture_output=True, check=False)
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"probe", IFF_TAP | IFF_NO_PI))
        os.close(fd)
    except OSError as e:
        print(f"no taps here: {e}")
        sys.exit(77)


def ip(*commands):
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True, timeout=20)


def links():
    """The interfaces of this namespace by name."""
    out = subprocess.run(["ip", "-json", "-details", "link", "show"], check=True, timeout=20,
                         capture_output=True)
    return {link["ifname"]: link for link in json.loads(out.stdout)}


def ours():
    """Names of the interfaces that a namespace is not born with."""
    return sorted(name for name, link in links().items()
                  if link.get("linkinfo", {}).get("info_kind") in ("bridge", "tun"))


def clean():
    """Remove what a failed case has left, but not what a namespace is born with."""
    for name in ours():
        ip(f"link delete {name}")


def have_bridges():
    try:
        ip("link add probe-br type bridge", "link delete probe-br")
        return True
    except subprocess.CalledProcessError:
        return False


class Vif(Device):
    """One interface."""

    def __init__(self, rig, domid, devid, script="/etc/xen/scripts/vif-bridge", **extra):
        super().__init__(rig, domid, devid, "vif", script)
        self.name = f"vif{domid}.{devid}"
        nodes = {"mac": MAC, "bridge": "xenbr0", "handle": devid, "type": "vif",
                 "hotplug-status": "", **extra}
        self.nodes.update({key.replace("_", "-"): value for key, value in nodes.items()})
        self.front_nodes.update({"handle": devid, "mac": MAC, "mtu": 1500})

    def plug(self):
        return self.run_script("online", "type_if=vif", vif=self.name)

    def unplug(self):
        return self.run_script("offline", "type_if=vif", vif=self.name)

    def keys(self, **more):
        """What a frontend of one queue writes; None takes a key away."""
        nodes = {"tx-ring-ref": 8, "rx-ring-ref": 9, "event-channel": 5, "request-rx-copy": 1,
                 "feature-rx-notify": 1, "feature-sg": 1, "feature-gso-tcpv4": 1,
                 "feature-gso-tcpv6": 1, "feature-ipv6-csum-offload": 1}
        nodes.update({key.replace("_", "-"): value for key, value in more.items()})
        return {key: value for key, value in nodes.items() if value is not None}

    def connect(self, await_connected=True, **nodes):
        """As netfront: it goes straight to Connected."""
        self.front(**self.keys(**nodes))
        self.front(state=CONNECTED)
        if await_connected:
            self.rig.await_node(f"{self.backend}/state", CONNECTED)

    def full(self, **nodes):
        """Attached and connected, without the stock script."""
        self.create()
        self.plugged()
        self.connect(**nodes)
        return self

    def link(self):
        return links().get(self.name)

    def status(self):
        return self.rig.device_status(self.domid, self.devid, "vif")

    def await_carrier(self, on):
        """Carrier of the tap, which is only known of an interface that is up."""
        def fits():
            link = self.link()
            check(link and "UP" in link["flags"], f"{self.name} is not up: {link}")
            return ("NO-CARRIER" not in link["flags"]) == on
        self.rig.await_(fits, f"carrier {'on' if on else 'off'}")
