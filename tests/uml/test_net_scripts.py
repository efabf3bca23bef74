# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own hotplug scripts, unchanged, with interfaces of our daemon."""

import os
import shutil

from harness import Nic, case

from uml.netload import exercise
from uml.ovs import OpenVSwitch

SCRIPTS = "/etc/xen/scripts"


def stock_script(env, name):
    """One of them by another path, so that it is run and not done by the bench."""
    if not os.access(f"{SCRIPTS}/{name}", os.X_OK):
        env.skip(f"{SCRIPTS}/{name} is not installed")
    folder = env.scratch / "scripts"
    if not folder.exists():
        folder.mkdir()
        for other in os.listdir(SCRIPTS):
            (folder / other).symlink_to(f"{SCRIPTS}/{other}")
    return str(folder / name)


@case(benches="uml", frontend="xen-vnif", net=True)
def net_stock_script(env):
    """Debian's own vif-bridge, which renames the interface: the daemon follows it."""
    script = stock_script(env, "vif-bridge")
    nic = Nic(env.net.bridge(), options={"script": script, "vifname": "lan0"})
    guest = env.guest(nics=[nic])
    guest.configure()
    exercise(env, guest, size="64K")
    links = env.net.links()
    env.check(links["lan0"].get("master") == "xenbr0", "lan0 is on no bridge")
    env.check(guest.tap() not in links, "the interface was not renamed")
    env.backend.restart()
    exercise(env, guest, size="64K")
    guest.detach_nic(0)
    env.await_(lambda: "lan0" not in env.net.links(), "lan0 to go")


def routes(env):
    """Where the host sends packets, by destination."""
    return {route["dst"]: route["dev"] for route in env.net.json("route", "show")}


def by_route(env, guest, options, own, peer):
    """Attach an interface that is on no bridge, use it, restart the daemon, detach it."""
    number = guest.attach_nic(Nic(env.net.bridge(), options=options))
    interface = guest.interface(number)
    guest.ip(f"link set {interface} up", f"addr add {own}/32 dev {interface}",
             f"route add {peer} dev {interface}")  # fmt: skip
    env.check(routes(env).get(own) == guest.tap(number), f"routes of the host: {routes(env)}")
    master = env.net.links()[guest.tap(number)].get("master")
    env.check(master is None, f"{guest.tap(number)} is on {master}")
    guest.traffic("all", peer, "--bytes", "64K")
    env.backend.restart()
    guest.traffic("all", peer, "--bytes", "64K")
    guest.detach_nic(number)
    env.await_(lambda: own not in routes(env), f"the route to {own} to go")


@case(benches="uml", frontend="xen-vnif", net=True)
def net_stock_route_and_nat(env):
    """vif-route and vif-nat: the guest is reached by a route, before and after a restart."""
    if not shutil.which("ifconfig"):
        env.skip("vif-route needs ifconfig, which is not installed (net-tools)")
    guest = env.guest()
    env.net.serve()
    routed = {"ip": "10.66.0.2", "gatewaydev": env.net.bridge()}
    routed["script"] = stock_script(env, "vif-route")
    by_route(env, guest, routed, "10.66.0.2", "10.77.0.1")
    # Its address on the host is 127 above the guest's.
    translated = {"ip": "10.67.0.2/24", "script": stock_script(env, "vif-nat")}
    by_route(env, guest, translated, "10.67.0.2", "10.67.0.129")


@case(benches="uml", frontend="xen-vnif", net=True)
def net_stock_openvswitch(env):
    """vif-openvswitch: the interface is a port of the switch, before and after a restart."""
    with OpenVSwitch(env) as switch:
        switch.bridge("ovs0", "10.68.0.1/24")
        guest = env.guest()
        env.net.serve()
        script = stock_script(env, "vif-openvswitch")
        number = guest.attach_nic(Nic("ovs0", options={"script": script}))
        tap, interface = guest.tap(number), guest.interface(number)
        for feature in ("tso", "sg", "tx"):
            guest.tool("offload", interface, feature, "off")
        guest.ip(f"link set {interface} up", f"addr add 10.68.0.2/24 dev {interface}")
        env.check(switch.ports("ovs0") == [tap], f"ports of ovs0: {switch.ports('ovs0')}")
        mac = guest.read(f"/sys/class/net/{interface}/address").strip()
        told = switch.vsctl("get", "interface", tap, "external-ids:attached-mac").strip()
        env.check(told == f'"{mac}"', f"the switch knows it as {told}, not as {mac}")
        guest.traffic("all", "10.68.0.1", "--bytes", "64K")
        env.backend.restart()
        guest.traffic("all", "10.68.0.1", "--bytes", "64K")
        guest.detach_nic(number)
        env.await_(lambda: not switch.ports("ovs0"), f"{tap} to go from ovs0")
