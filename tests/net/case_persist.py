# SPDX-License-Identifier: GPL-2.0-or-later
"""Files for systemd-networkd: what is in them, and what networkd and udev make of them."""

import configparser
import os
import shutil
import signal
import subprocess

import snapshot
from case_intbr import rules as guarding
from case_shapes import LODEV_MAC, dom0_nic, each_other
from netns import Skip, check, need_link_type
from rig import expect_matrix

NETWORKD = "/lib/systemd/systemd-networkd"


class Sections(dict):
    """systemd's files have the same key and section more than once."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def parse(text):
    parser = configparser.RawConfigParser(dict_type=Sections, strict=False,
                                          comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(text)
    return {s: dict(parser.items(s)) for s in parser.sections()}


def files(rig):
    found = {}
    for folder, _, names in os.walk(rig.network):
        for name in names:
            path = os.path.join(folder, name)
            check(os.stat(path).st_mode & 0o777 == 0o644, f"mode of {path}")
            with open(path, encoding="utf-8") as f:
                found[os.path.relpath(path, rig.network)] = f.read()
    return found


def create_all(rig):
    rig.bridge("create", "xenbr0", "--netdev", "eth0", "--persist")
    rig.bridge("create", "gextbr1", "--netdev", "eth1", "--persist")
    rig.bridge("create", "intbr2", "--lodev", "eth2", "--mac", LODEV_MAC, "--ip",
               "192.168.1.10/24", "--ip", "fd00:2::1/64", "--persist")
    rig.bridge("create", "gintbr3", "--persist")


def persist(rig):
    """--persist writes the files, show tells so, delete removes them and no others."""
    dom0_nic(rig)
    rig.nic("eth1")
    os.makedirs(rig.network)
    own = f"{rig.network}/10-mine.network"
    with open(own, "w", encoding="utf-8") as f:
        f.write("[Match]\nName=eth0\n")
    os.chmod(own, 0o644)
    before = snapshot.take(rig.dom0, rig.network)
    rig.bridge("create", "gintbr3", "--persist", "--dry-run")
    snapshot.expect_same(before, rig.dom0, [rig.network], "after a dry run")
    mac = rig.dom0.links()["eth0"]["address"].upper()
    create_all(rig)
    found = files(rig)
    wanted = {
        "05-xenpv-xenbr0.netdev": ("NetDev", "Kind", "bridge"),
        "05-xenpv-xenbr0.network": ("Network", "LinkLocalAddressing", "no"),
        "05-xenpv-xenbr0.link": ("Match", "OriginalName", "xenbr0"),
        "05-xenpv-xenbr0-nic.link": ("Link", "Name", "peth0"),
        "05-xenpv-xenbr0-dom0.netdev": ("NetDev", "MACAddress", mac),
        "05-xenpv-xenbr0-port.network": ("Match", "Name", "peth0 vif0.0"),
        "05-xenpv-gextbr1.netdev": ("Bridge", "STP", "no"),
        "05-xenpv-gextbr1.network": ("Link", "ARP", "no"),
        "05-xenpv-gextbr1.link": ("Match", "OriginalName", "gextbr1"),
        "05-xenpv-gextbr1-port.network": ("Network", "Bridge", "gextbr1"),
        "05-xenpv-intbr2.netdev": ("NetDev", "Name", "intbr2"),
        "05-xenpv-intbr2.network": ("Match", "Name", "intbr2"),
        "05-xenpv-intbr2.link": ("Match", "OriginalName", "intbr2"),
        "05-xenpv-intbr2-dom0.netdev": ("Peer", "Name", "vif0.2"),
        "05-xenpv-intbr2-dom0.network": ("Match", "Name", "eth2"),
        "05-xenpv-intbr2-port.network": ("Match", "Name", "vif0.2"),
        "05-xenpv-gintbr3.netdev": ("Bridge", "ForwardDelaySec", "0"),
        "05-xenpv-gintbr3.network": ("Match", "Name", "gintbr3"),
        "05-xenpv-gintbr3.link": ("Match", "OriginalName", "gintbr3"),
    }
    check(set(found) == set(wanted) | {"10-mine.network"},
          f"files: {set(found) ^ set(wanted)}")
    for name, (section, key, value) in wanted.items():
        check(parse(found[name])[section][key] == value, f"{name}: {found[name]}")
    text = found["05-xenpv-intbr2-dom0.network"]
    for line in ("Address=192.168.1.10/24", "Address=fd00:2::1/64", "To=192.168.1.0/24",
                 "To=fd00:2::/64", "IncomingInterface=eth2"):
        check(line in text.splitlines(), f"{line} is not in {text}")
    check(rig.show()["xenbr0"]["persistent"], "xenbr0 is not shown as persistent")
    # what is to be there after a boot counts as being there
    rig.bridge("create", "gintbr30", "--persist")
    rig.dom0.ip("link del gintbr30")
    path = f"{rig.dir}/guest.cfg"
    with open(path, "w", encoding="utf-8") as f:
        f.write('name = "g"\nvif = ["mac=02:17:42:2F:02:01,bridge=gintbr30"]\n')
    rig.bridge("check", path)
    rig.bridge("create", "gintbr30", "--persist")
    for bridge in ("gintbr30", "gintbr3", "intbr2", "gextbr1", "xenbr0"):
        rig.bridge("delete", bridge)
    snapshot.expect_same(before, rig.dom0, [rig.network], "after delete")


def networkd(rig):
    """A host that boots with these files: networkd makes the bridges, udev the names, and the
    watch closes them."""
    if not os.access(NETWORKD, os.X_OK):
        raise Skip("there is no systemd-networkd")
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        raise Skip("it may not make mount namespaces")
    outside = dom0_nic(rig)
    outside1 = rig.nic("eth1")
    outside1.ip("address add 10.1.0.2/24 dev to-eth1")
    mac = rig.dom0.links()["eth0"]["address"]
    rig.dom0.ip("link set eth0 mtu 1400", "link set eth1 mtu 1300")
    create_all(rig)
    with open(f"{rig.network}/20-eth0.network", "w", encoding="utf-8") as f:
        f.write("[Match]\nName=eth0\n[Network]\nAddress=10.0.0.1/24\n")
    # the boot: everything that was made is gone, the NICs have their names and addresses
    saved = f"{rig.dir}/saved"
    shutil.copytree(rig.network, saved)
    for bridge in ("gintbr3", "intbr2", "gextbr1", "xenbr0"):
        rig.bridge("delete", bridge)
    shutil.rmtree(rig.network)
    shutil.move(saved, rig.network)
    rig.dom0.ip("address flush dev eth0", "link set eth0 down", "link set eth1 down",
                "link set eth0 mtu 1500", "link set eth1 mtu 1500")
    # udev's part, which has no daemon in here: the NIC's name and address, and the aliases
    link = parse(files(rig)["05-xenpv-xenbr0-nic.link"])
    check(link["Match"].get("MACAddress", "").lower() == mac, f"the NIC is not matched: {link}")
    rig.dom0.ip(f"link set eth0 name {link['Link']['Name']} address {link['Link']['MACAddress']}")
    rig.watch()
    run = f"{rig.dir}/systemd"
    os.makedirs(f"{run}/netif")
    script = (
        f"mount --bind {rig.network} /etc/systemd/network && "
        f"mount -t tmpfs none /run && mkdir -p /run/systemd/netif/links /run/systemd/netif/leases "
        f"/run/udev && mount -t sysfs -o ro sysfs /sys && chown -R systemd-network "
        f"/run/systemd/netif && exec {NETWORKD}")
    os.makedirs("/etc/systemd/network", exist_ok=True)
    with open(f"{rig.dir}/networkd.log", "wb") as log:
        process = rig.dom0.start("unshare", "--mount", "sh", "-c", script, stderr=log, stdout=log,
                                 env=dict(os.environ, SYSTEMD_LOG_LEVEL="info"))
    rig.processes.append(process)

    def ready():
        links = rig.dom0.links()
        return all(links.get(port, {}).get("master") == bridge for port, bridge in (
            ("peth0", "xenbr0"), ("vif0.0", "xenbr0"), ("eth1", "gextbr1"), ("vif0.2", "intbr2"),
        )) and "gintbr3" in links and "UP" in links["gintbr3"]["flags"] and \
            "UP" in links.get("eth0", {"flags": []})["flags"]
    try:
        rig.await_(ready, "bridges made by networkd", 30)
        for bridge in ("xenbr0", "gextbr1", "intbr2", "gintbr3", "eth1"):
            rig.await_guarded(bridge)
        check(rig.dom0.links()["eth0"]["address"] == mac, "dom0's address is another")
        mtus = {"eth0": 1400, "peth0": 1400, "vif0.0": 1400, "xenbr0": 1400, "eth1": 1300,
                "gextbr1": 1300, "eth2": 1500, "vif0.2": 1500}
        rig.await_(lambda: mtus == {name: rig.dom0.links()[name]["mtu"] for name in mtus},
                   lambda: f"MTUs: { {n: v['mtu'] for n, v in rig.dom0.links().items()} }")
        rig.await_(lambda: "10.0.0.1" in str(rig.dom0.json("address", "show", "dev", "eth0")),
                   "dom0's address on eth0", 20)
        check(len(guarding(rig)) == 6, f"rules: {guarding(rig)}")
        for domid in (1, 2):
            rig.guest(domid, 0, "gextbr1", 1)
            rig.guest(domid, 1, "xenbr0", 0)
        expect_matrix(each_other(rig, (1, 2), "eth0", 1) + [
            (rig.guests[1], "eth1", "10.0.0.1", True), (rig.guests[1], "eth1", "10.0.0.2", True),
            (rig.guests[1], "eth0", "10.1.0.2", True), (rig.guests[1], "eth0", "10.0.0.1", False),
            (outside, "to-eth0", "10.0.0.1", True)])
    except Exception:
        with open(f"{rig.dir}/networkd.log", encoding="utf-8", errors="replace") as f:
            print(f.read()[-3000:])
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    # what networkd made, delete can take apart
    for bridge in ("xenbr0", "gextbr1", "intbr2", "gintbr3"):
        rig.bridge("delete", bridge, "--force")
    check([n for n in files(rig) if n.startswith("05-xenpv")] == [], f"left: {list(files(rig))}")
    check(not guarding(rig), f"rules: {guarding(rig)}")
    links = rig.dom0.links()
    check("peth0" not in links and links["eth0"]["address"] == mac, f"eth0: {links['eth0']}")


def persist_vlan(rig):
    """The VLAN of a gextbr: a file for it, and the line in whosever file it is."""
    need_link_type("vlan", "8021q", "id 5")
    rig.nic("eth1")
    rig.bridge("create", "gextbr1", "--netdev", "eth1", "--vlan", "10", "--persist")
    found = files(rig)
    check(parse(found["05-xenpv-gextbr1-vlan.netdev"])["VLAN"]["Id"] == "10", str(found))
    parent = "06-xenpv-eth1.network"
    check(parse(found[parent])["Match"]["Name"] == "eth1", str(found))
    check(parse(found[f"{parent}.d/xenpv-gextbr1.conf"])["Network"]["VLAN"] == "eth1.10",
          str(found))
    rig.bridge("create", "gextbr2", "--netdev", "eth1", "--vlan", "20", "--persist")
    rig.bridge("delete", "gextbr1")
    check(parent in files(rig) and f"{parent}.d/xenpv-gextbr2.conf" in files(rig),
          f"of the second: {list(files(rig))}")
    rig.bridge("delete", "gextbr2")
    check(not files(rig), f"left: {list(files(rig))}")


CASES = [persist, networkd, persist_vlan]
