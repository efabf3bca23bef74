# SPDX-License-Identifier: GPL-2.0-or-later
"""xenpv bridge check and show, as somebody types them."""

import json
import os
import subprocess

import snapshot
from case_bond import announced
from netns import Skip, check
from packets import ETH_P_RARP, Sniffer


def write(rig, name, text):
    path = f"{rig.dir}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def guest_config(name, *vnifs):
    return f"name = '{name}'\nvif = [ {', '.join(repr(v) for v in vnifs)} ]\n"


def config_check(rig):
    """Findings with file and line, exit status, JSON; a file that is named twice counts once."""
    rig.bridge("create", "gintbr3")
    rig.bridge("create", "intbr2", "--lodev", "eth2", "--mac", "02:17:42:2F:00:01", "--ip",
               "192.168.1.10/24")
    good = write(rig, "good.cfg", guest_config("good", "mac=02:17:42:2F:01:01,bridge=gintbr3",
                                               "mac=02:17:42:2F:01:02,bridge=intbr2"))
    os.symlink(good, f"{rig.dir}/link.cfg")
    out = rig.bridge("check", good, good, f"{rig.dir}/link.cfg")
    check(out == "1 configurations, 0 errors, 0 warnings\n", out)
    bad = write(rig, "bad.cfg", guest_config("bad", "mac=02:17:42:2F:00:01,bridge=gintbr4"))
    out = rig.bridge("check", good, bad, status=3)
    check(f"{bad}:2: error: bad: vif[0]: bridge=gintbr4 does not exist" in out, out)
    check("is the address of dom0's eth2" in out, out)
    check("2 configurations, 2 errors, 0 warnings" in out, out)
    found = json.loads(rig.bridge("check", "--json", good, bad, status=3))
    check(found["configurations"] == 2 and found["errors"] == 2 and len(found["findings"]) == 2
          and found["findings"][0]["file"] == bad and found["findings"][0]["line"] == 2,
          str(found))
    broken = write(rig, "broken.cfg", "name = 'x'\nvif = [ 'a' 'b' ]\n")
    out = rig.bridge("check", broken, status=3)
    check(f"{broken}:2: error: is no domain configuration" in out, out)
    out = rig.bridge("check", "/dev/zero", status=3)
    check("larger than 1 MiB" in out, out)
    rig.refuse(4, "No such file", "check", f"{rig.dir}/absent.cfg")
    rig.refuse(1, "Is a directory", "check", rig.dir)
    with open(rig.config, "w", encoding="utf-8") as f:
        f.write("[bridge]\nmac-prefix = 00:16:3E\n")
    check("does not begin with 00:16:3E" in rig.bridge("check", good, status=3), "prefix")
    write(rig, "bridge.conf", "[bridge]\nmac-prefix = any\n")
    rig.bridge("check", good)
    # the rules of this file hold without the host, too
    other = write(rig, "other.cfg", "memory = 512\n" + guest_config(
        "other", "mac=00:16:3E:01:01:01,bridge=xenbr0"))
    offline = ["check", "--offline", other, "--config", rig.config]
    result = rig.dom0.run(rig.program, *offline)
    check(result.returncode == 0, f"offline, any prefix: {result.stdout} {result.stderr}")
    write(rig, "bridge.conf", "[bridge]\nmac-prefix = 00:16:3F\n")
    result = rig.dom0.run(rig.program, *offline)
    check(result.returncode == 1 and "does not begin with 00:16:3F" in result.stdout,
          f"offline, a prefix: {result.stdout} {result.stderr}")
    write(rig, "bridge.conf", "nonsense\n")
    result = rig.dom0.run(rig.program, *offline)
    check(result.returncode == 3 and "bridge.conf:1: expected" in result.stderr,
          f"offline, nonsense: {result.stdout} {result.stderr}")
    rig.refuse(3, "bridge.conf:1: expected", "check", good)


def dry_run(rig):
    """--dry-run prints the plan and changes nothing; --json makes it a list."""
    rig.nic("eth0")
    before = snapshot.take(rig.dom0, rig.runtime, rig.network)
    out = rig.bridge("create", "xenbr0", "--netdev", "eth0", "--dry-run")
    lines = out.splitlines()
    check(lines[0].split() == ["1", "create", "bridge", "xenbr0"] and
          any("rename eth0 to peth0" in line for line in lines), out)
    plan = json.loads(rig.bridge("create", "xenbr0", "--netdev", "eth0", "--dry-run", "--json"))
    check(len(plan["changes"]) == len(lines) and plan["changed"] is False, str(plan))
    snapshot.expect_same(before, rig.dom0, [rig.runtime, rig.network], "after dry runs")
    done = json.loads(rig.bridge("--json", "create", "xenbr0", "--netdev", "eth0"))
    check(done["changed"] and done["changes"] == plan["changes"], str(done))
    again = json.loads(rig.bridge("create", "xenbr0", "--netdev", "eth0", "--json"))
    check(not again["changed"] and again["changes"] == [], str(again))
    done = json.loads(rig.bridge("delete", "xenbr0", "--json"))
    check(done["changed"] and done["bridge"] == "xenbr0", str(done))


def start_xenstored(rig, nodes):
    """A xenstored without Xen, with these nodes; returns the environment that leads to it."""
    xenstored = "/usr/lib/xen-4.17/bin/xenstored"
    if not rig.xenstore_preload:
        raise Skip("--xenstore-preload is not given")
    if not os.access(xenstored, os.X_OK):
        raise Skip("xenstored is not installed")
    socket = f"{rig.dir}/socket"
    env = {"XENSTORED_PATH": socket, "XENSTORED_RUNDIR": rig.dir}
    rig.processes.append(subprocess.Popen(
        [xenstored, "-N", "-F", f"{rig.dir}/pid"], stderr=subprocess.DEVNULL,
        env=dict(os.environ, **env, LD_PRELOAD=rig.xenstore_preload)))
    rig.await_(lambda: os.path.exists(socket), "xenstored")
    for path, value in nodes.items():
        subprocess.run(["xenstore-write", path, value], env=dict(os.environ, **env), check=True,
                       timeout=20)
    return env


def show_names(rig):
    """show with a xenstore: the guests' names and addresses; text and JSON."""
    env = rig.environment(**start_xenstored(rig, {
        "/local/domain/7/name": "web1",
        "/local/domain/0/backend/vif/7/1/mac": "02:17:42:2f:01:01",
        "/local/domain/8/name": "bad\x1b[2Jname",
        "/local/domain/0/backend/vif/8/0/mac": "nonsense"}))
    rig.bridge("create", "gintbr3")
    rig.guest(7, 1, "gintbr3")
    rig.guest(8, 0, "gintbr3")
    rig.guest(9, 0, "gintbr3")
    rig.dom0.ip("link add other type veth peer name rehto", "link set other master gintbr3")
    out = rig.bridge("show", env=env)
    wanted = ["guest    vif7.1       web1  02:17:42:2F:01:01", "guest    vif8.0       bad?[2Jname",
              "guest    vif9.0       domain 9", "port     other"]
    for line in wanted:
        check(f"  {line}\n" in out, f"{line!r} is not in {out}")
    shown = json.loads(rig.bridge("show", "--json", "gintbr3", env=env))["bridges"][0]
    check(shown["guests"][0] == {"interface": "vif7.1", "domid": 7, "handle": 1,
                                 "domain": "web1", "mac": "02:17:42:2F:01:01"}, str(shown))
    check(shown["guests"][2]["domain"] is None and shown["other_ports"] == ["other"], str(shown))


def announce_silent(rig):
    """A guest that never sent anything is announced, too, by what xenstore says of it. So is one
    whose tap was renamed (vifname=), and the tap is no way to the outside."""
    rig.extra = start_xenstored(rig, {"/local/domain/0/backend/vif/7/0/mac": "02:17:42:2F:09:09",
                                      "/local/domain/0/backend/vif/8/1/mac": "02:17:42:2F:09:0A"})
    outside = rig.nic("eth1")
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    rig.guest(7, 0, "gextbr1")
    rig.dom0.ip("link add lan0 type veth peer name lan1", "link set lan1 up",
                "link set lan0 alias 'xenpv-backendd vif 8.1'", "link set lan0 master gextbr1",
                "link set lan0 up")
    guests = [(g["interface"], g["domid"]) for g in rig.show()["gextbr1"]["guests"]]
    check(guests == [("vif7.0", 7), ("lan0", 8)], f"guests: {guests}")
    watch = rig.watch()
    rig.dom0.ip("link set lan1 down")
    rig.await_(lambda: "NO-CARRIER" in rig.dom0.links()["lan0"]["flags"], "a tap that is away")
    rig.dom0.ip("link set lan1 up")
    sniffer = Sniffer(outside, "to-eth1", ETH_P_RARP)
    outside.ip("link set to-eth1 down")
    rig.await_(lambda: "NO-CARRIER" in rig.dom0.links()["eth1"]["flags"], "a link that is away")
    outside.ip("link set to-eth1 up")
    announced(sniffer, ["02:17:42:2f:09:09", "02:17:42:2f:09:0a"], 5.0)
    sniffer.close()
    rig.stop(watch)
    check("lan0: has a link" not in rig.watch_logged(), rig.watch_logged())


CASES = [config_check, dry_run, show_names, announce_silent]
