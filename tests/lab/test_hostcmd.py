# SPDX-License-Identifier: GPL-2.0-or-later
"""The host command on real Xen: what it shows of a guest is so, and the guest obeys it."""

import json

from harness import case

from lab.load import fio


def _ask(env, words):
    return json.loads(env.host.run(f"xenpv {words} --json").out)


@case(benches="lab", guests="pvh", timeout=240)
def host_command(env):
    """list, show, top and metrics of a guest with a disk; then it is shut down and followed."""
    image = env.image("16M")
    guest = env.guest(disks=[image.disk("xvda")])
    guest.run(fio("xvda", size="512k"))

    dom0, entry = [g for g in _ask(env, "list") if g["domid"] in (0, guest.domid)]
    env.check(dom0["name"] == "Domain-0" and dom0["state"] == "running", f"dom0: {dom0}")
    env.check((entry["name"], entry["type"]) == (guest.name, "pvh"), f"list: {entry}")
    env.check(entry["state"] in ("ready", "running", "idle"), f"state: {entry['state']}")
    listed = env.host.run(f"xl list {guest.domid} | tail -n 1").out.split()
    env.check(int(listed[2]) == round(entry["memory_kib"] / 1024), f"memory: {listed}, {entry}")

    disk = _ask(env, f"show {guest.name}")["vbds"][0]
    env.check((disk["vdev"], disk["state"], disk["backend"]) == ("xvda", 4, "xenpv-backendd"),
              f"disk: {disk}")
    env.check(disk["size"] == image.size and disk["rings"] >= 1, f"disk: {disk}")

    top = _ask(env, "top --delay 1")
    env.check([g["name"] for g in top["guests"]][:1] == ["Domain-0"], f"top: {top}")
    env.check(top["guests"][0]["cpu_percent"] > 0, "dom0 used no CPU")
    metrics = env.host.run("xenpv metrics").out
    env.check(f'guest="{guest.name}",domid="{guest.domid}"' in metrics, metrics[:500])

    asked = env.host.run(f"xenpv shutdown {guest.name} --wait --timeout 200 --json",
                         timeout=60, check=False)
    env.check(asked.rc == 0, f"exit {asked.rc}: {asked.out}{asked.err}")
    guest.gone()
    result = json.loads(asked.out)
    env.check(result["result"] == "stopped", f"result: {result}")
    env.note("shutdown_seconds", round(result["seconds"], 1))
    missing = env.host.run("xenpv shutdown nobody", check=False)
    env.check(missing.rc == 4, f"a guest that is not there: {missing.rc} {missing.err}")
