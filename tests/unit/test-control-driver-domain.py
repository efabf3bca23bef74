#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the broker does itself where no hotplug script runs, and what a driver domain asks for."""

import time

from control_rig import CLOSED, INITWAIT, Disk, check, main
from control_vif import Vif, clean, enter_namespace, have_bridges, ip, links, ours

# For how long a state that libxl waits for is kept where there is no script.
SETTLED = 1


def no_scripts(rig):
    """Nobody else would give the tap its name and bridge, and tell that libxl has read state 2."""
    vif = Vif(rig, 5, 0, vifname="lan0", bridge="br-missing")
    error = vif.attach()
    check(error and '"br-missing"' in error, f"{error}")
    vif.detach(force=True)
    check(ours() == [], f"{ours()}")
    # another script than the stock one is somebody's own affair
    vif = Vif(rig, 5, 0, script="/etc/xen/scripts/vif-route", vifname="lan0", bridge="br-missing")
    begin = time.monotonic()
    vif.create()
    rig.await_node(f"{vif.backend}/state", INITWAIT)
    check("lan0" in links() and "UP" not in links()["lan0"]["flags"], f"{links()}")
    vif.connect()
    check(time.monotonic() - begin >= SETTLED, "state 2 is kept")
    vif.detach(force=True)
    check("lan0" not in links(), "gone")


no_scripts.config = "[backend]\nhotplug-scripts = no\n"


def no_scripts_bridge(rig):
    """The broker puts the tap into its bridge, once."""
    if not have_bridges():
        print("  no bridges here")
        return
    ip("link add xenbr0 type bridge", "link set xenbr0 mtu 1400", "link set xenbr0 up",
       "link add xenbr1 type bridge")
    for nodes, mtu in (({}, 1400), ({"mtu": 9000}, 9000)):
        vif = Vif(rig, 5, 0, **nodes)
        vif.create()
        rig.await_node(f"{vif.backend}/state", INITWAIT)
        link = vif.link()
        check(link["master"] == "xenbr0" and link["mtu"] == mtu and "UP" in link["flags"],
              f"{link}")
        vif.connect()
        check(vif.get("carrier") == "1", f"carrier = {vif.get('carrier')}")
        # where an administrator puts it, it stays
        ip(f"link set {vif.name} master xenbr1")
        rig.kill()
        rig.start()
        rig.await_status(5, 0, kind="vif", master="xenbr1", link="up")
        vif.detach(force=True)
    vif = Vif(rig, 5, 0, mtu=20)
    error = vif.attach()
    check(error and "mtu" in error, f"{error}")
    vif.detach(force=True)
    vif = Vif(rig, 5, 0, bridge="lo")
    error = vif.attach()
    check(error and "cannot put the tap" in error, f"{error}")
    vif.detach(force=True)


no_scripts_bridge.config = no_scripts.config


def start_elsewhere(rig):
    """The broker, which takes itself for one in domain 7."""
    rig.store.write("/local/domain/0/domid", 7)
    rig.start()


def driver_domain(rig):
    """dom0's libxl waits for state 6, and then for the nodes to go."""
    start_elsewhere(rig)
    vif = Vif(rig, 5, 0, script="/etc/xen/scripts/vif-route").full()
    disk = Disk(rig, 5, 51712, rig.image("a.img")).full()
    for device in vif, disk:
        begin = time.monotonic()
        device.ask_removal(force=True)
        rig.await_node(device.backend, None)
        check(time.monotonic() - begin >= SETTLED, "state 6 is kept")
    # what cannot be goes at once
    vif = Vif(rig, 5, 0, bridge="br-missing")
    vif.create()
    rig.await_node(f"{vif.backend}/state", None)
    error = rig.store.read(f"/local/domain/0/error/{vif.relative}/error")
    check("br-missing" in error, f"{error}")
    # what takes the place of one that is to go is not taken for it
    vif = Vif(rig, 5, 1, script="/etc/xen/scripts/vif-route").full()
    vif.ask_removal(force=True)
    again = Vif(rig, 5, 1, script="/etc/xen/scripts/vif-route")
    again.create(instead_of=vif)
    again.connect()
    rig.await_never(again.backend, None, SETTLED * 1.5)


driver_domain.config = no_scripts.config
driver_domain.stopped = True


def driver_domain_scripts(rig):
    """xl devd removes the nodes, after the script that it runs: it finds its loop device there."""
    start_elsewhere(rig)
    vif = Vif(rig, 5, 0).full()
    vif.ask_removal(force=True)
    rig.await_node(f"{vif.backend}/state", CLOSED)
    rig.await_never(vif.backend, None, SETTLED * 1.5)
    vif.destroy()
    rig.await_(lambda: rig.status()["guests"] == [], "the guest is forgotten")


driver_domain_scripts.stopped = True


CASES = [no_scripts, no_scripts_bridge, driver_domain, driver_domain_scripts]

if __name__ == "__main__":
    enter_namespace()
    main(CASES, clean)
