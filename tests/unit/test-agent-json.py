#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""xenpv-agent --json and --once, with xenstore and without, in a guest whose sysfs is made up."""

import json
import os
import socket
import subprocess
import sys
import threading

from control_rig import Failure, check
from control_vif import enter_namespace
from hostcmd_rig import HostRig

DISK = "data/xenpv/device/vbd/51712"
FEATURE = "data/xenpv/feature-freeze"
REASON = "data/cant_suspend_reason"
SYSFS = {
    "block/xvda/device/nodename": "device/vbd/51712",
    "block/xvda/size": "2048",
    "block/xvda/ro": "0",
    "class/block/xvda/size": "2048",
}
WORDS = "name=xvda size=1048576 read-only=0"
AGREED = {"device/vbd/51712/multi-queue-num-queues": 4, "device/vbd/51712/ring-page-order": 2}


def run(rig, option, config="", **env):
    path = f"{rig.dir}/agent.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write(config)
    done = subprocess.run([rig.program, option, f"--config={path}"], env={**rig.env, **env},
                          capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 0, f"{option}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def report(rig, config="", **env):
    return json.loads(run(rig, "--json", config, **env))


def check_without(found, what):
    """What it says where xenstore tells nothing."""
    check(found[DISK] == WORDS, f"{what}: {found[DISK]}")
    check(found[REASON] is None, f"{what}: {found[REASON]}")
    check(found[FEATURE] == "1", f"{what}: {found[FEATURE]}")


def with_xenstore(rig):
    rig.nodes(0, AGREED)
    before = rig.store.list("/local/domain/0")
    found = report(rig)
    check(found[DISK] == f"{WORDS} queues=4 ring-order=2", found[DISK])
    check("control/feature-suspend" in (found[REASON] or ""), f"{found[REASON]}")
    rig.nodes(0, {"control/feature-suspend": 1})
    found = report(rig, "[freeze]\nenabled = no\n")
    check(found[REASON] is None, f"{found[REASON]}")
    check(found[FEATURE] is None, f"not to be frozen: {found[FEATURE]}")
    check(report(rig)[FEATURE] == "1", "it freezes")
    rig.store.rm("/local/domain/0/control")
    after = rig.store.list("/local/domain/0")
    check(after == before, f"it wrote: {before} {after}")


def without_xenstore(rig):
    check_without(report(rig, XENSTORED_PATH=f"{rig.dir}/none"), "no xenstore")


def xenstore_ends(rig):
    """The connection is lost at the first request."""
    path = f"{rig.dir}/ends"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        check_without(report(rig, XENSTORED_PATH=path), "xenstore ends")
        thread.join(10)
        check(not thread.is_alive(), "nobody asked xenstore")


def once(rig):
    run(rig, "--once")
    found = rig.read(0, DISK)
    check(found == f"{WORDS} queues=4 ring-order=2", found)
    check(rig.read(0, FEATURE) is None, "nobody stays who could freeze")


def main():
    if not os.access("/usr/lib/xen-4.17/bin/xenstored", os.X_OK):
        print("xenstored is not installed")
        sys.exit(77)
    enter_namespace()
    with HostRig(*sys.argv[1:]) as rig:
        for path, text in SYSFS.items():
            full = f"{rig.dir}/sys/{path}"
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(f"{text}\n")
        subprocess.run(["mount", "--bind", f"{rig.dir}/sys", "/sys"], check=True)
        try:
            for case in (with_xenstore, without_xenstore, xenstore_ends, once):
                case(rig)
                print(f"{case.__name__}: ok", flush=True)
        except Failure as e:
            print(f"{case.__name__}: FAILED: {e}")
            sys.exit(1)


main()
