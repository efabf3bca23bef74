# SPDX-License-Identifier: GPL-2.0-or-later
"""What xl and libxl 4.17 do to xenstore for an interface, and what its script does."""

import os
import re
import subprocess

from harness import CaseFailed

SCRIPTS = "/etc/xen/scripts"
HOTPLUG_TIMEOUT = 40  # LIBXL_HOTPLUG_TIMEOUT


def rate_node(text):
    """xlu_vif_parse_rate(): "10MB/s@20ms" as the node "bytes,microseconds"."""
    match = re.fullmatch(r"(\d+)([GMK]?)([Bb])/s(?:@(\d+)(us|ms|s))?", text)
    if not match:
        raise ValueError(f"bad rate {text!r}")
    amount, unit, kind, interval, time_unit = match.groups()
    per_second = int(amount) * {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[unit]
    if kind == "b":
        per_second //= 8
    micros = int(interval or 50) * {"us": 1, "ms": 1000, "s": 10**6, None: 1000}[time_unit]
    return f"{per_second * micros // 10**6},{micros}"


class Vifs:
    """The half of Toolstack that is about interfaces."""

    def vif_nodes(self, domid, number, nic):
        """libxl__set_xenstore_nic()."""
        backend, frontend, _ = self.paths(domid, f"vif{number}")
        script = nic.options.get("script", "vif-bridge")
        back = {
            "frontend": frontend,
            "frontend-id": domid,
            "online": 1,
            "state": 1,
            "script": script if "/" in script else f"{SCRIPTS}/{script}",
        }
        for key in ("vifname", "ip", "gatewaydev"):
            if key in nic.options:
                back[key] = nic.options[key]
        back["mac"] = nic.mac
        if "rate" in nic.options:
            back["rate"] = rate_node(nic.options["rate"])
        if nic.options.get("mtu", "1500") != "1500":
            back["mtu"] = nic.options["mtu"]
        back.update(
            {
                "bridge": nic.bridge,
                "handle": number,
                "type": nic.options.get("type", "vif"),
                "hotplug-status": "",
            }
        )
        front = {
            "backend": backend,
            "backend-id": 0,
            "state": 1,
            "handle": number,
            "trusted": nic.options.get("trusted", "1"),
            "mac": nic.mac,
            "mtu": nic.options.get("mtu", "1500"),
        }
        self.write_device(domid, f"vif{number}", back, front)

    def finish_attach_vif(self, domid, number):
        """What follows when the backend has seen the nodes."""
        self._finish(domid, f"vif{number}", lambda: self.script_online(domid, number))

    def attach_vif(self, domid, number, nic):
        """xl network-attach."""
        self.vif_nodes(domid, number, nic)
        self.finish_attach_vif(domid, number)

    def nics(self, domid):
        """Numbers of the interfaces that libxl knows."""
        return [int(number) for number in self.store.list(f"/libxl/{domid}/device/vif")]

    def script_online(self, domid, number):
        """
        Whether the script went well. vif-bridge is done here step by step, as it takes longer
        than all the rest of an attach; another one named in the options is run.
        """
        backend, frontend, _ = self.paths(domid, f"vif{number}")
        if self.store.read(f"{backend}/script") != f"{SCRIPTS}/vif-bridge":
            return self.run_script(domid, number, "online")
        device = f"vif{domid}.{number}"
        bridge = self.store.read(f"{backend}/bridge")
        lines = []
        name = self.store.read(f"{backend}/vifname")
        if name:
            lines.append(f"link set {device} name {name}")
            device = name
        mtu = self.store.read(f"{backend}/mtu") or str(self.network.mtu(bridge))
        lines += [
            f"link set {device} address fe:ff:ff:ff:ff:ff",
            f"link set {device} mtu {mtu}",
            f"link set {device} master {bridge}",
            f"link set {device} up",
        ]
        try:
            self.network.ip(*lines)
        except CaseFailed as error:
            self.store.write(f"{backend}/hotplug-error", str(error))
            return False
        if mtu != "1500":
            self.store.write(f"{frontend}/mtu", mtu)
        self.store.write(f"{backend}/hotplug-status", "connected")
        return True

    def script_offline(self, domid, vdev):
        """For whatever device, as a detach does not ask what it detaches."""
        if not vdev.startswith("vif"):
            return
        number = int(vdev[3:])
        backend = self.paths(domid, vdev)[0]
        script = self.store.read(f"{backend}/script")
        if script and script != f"{SCRIPTS}/vif-bridge":
            self.run_script(domid, number, "offline")
        # vif-bridge takes the interface from its bridge, if the backend has left it any.

    def run_script(self, domid, number, action):
        """Run the script of a device as libxl does; whether it went well."""
        backend = self.paths(domid, f"vif{number}")[0]
        script = self.store.read(f"{backend}/script")
        environment = {
            **self.network.environ,
            "script": script,
            "XENBUS_TYPE": "vif",
            "XENBUS_PATH": f"backend/vif/{domid}/{number}",
            "XENBUS_BASE_PATH": "backend",
            "vif": f"vif{domid}.{number}",
            "netdev": self.store.read(f"{backend}/gatewaydev") or "",
        }
        with self.network, open(os.devnull, encoding="ascii") as null:
            done = subprocess.run(
                [script, action, "type_if=vif"],
                stdin=null,
                capture_output=True,
                text=True,
                timeout=HOTPLUG_TIMEOUT,
                env=environment,
                check=False,
            )
        if done.returncode:
            self.store.write(f"{backend}/hotplug-error", done.stderr.strip() or "it failed")
        return done.returncode == 0
