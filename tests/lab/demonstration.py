# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: Debian guests on stock drivers get our packages, and are used and shut down on ours.

Everything in the report is measured: what drives a device is read from sysfs in the
guest, what serves it from the processes in dom0 that hold its image or tap open.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from types import SimpleNamespace

import harness
from harness import CaseFailed
from harness.cases import Case

from .bench import Bench
from .channel import ChannelError
from .demoguest import BRIDGE, PACKAGES, GuestDemo
from .demohost import make_bridge
from .images.cache import ROOT
from .machine import MachineError
from .report import write_report

OUT = ROOT / "build/report"


class Clock:
    """Prints each step with the time since `make demo` began, and remembers it."""

    def __init__(self):
        self._start = float(os.environ.get("DEMO_START", time.time()))
        self.steps = []

    def elapsed(self):
        return round(time.time() - self._start, 1)

    def say(self, text):
        self.steps.append({"at": self.elapsed(), "text": text})
        minutes, seconds = divmod(int(self.elapsed()), 60)
        print(f"[{minutes:02d}:{seconds:02d}] {text}", flush=True)


def _case(kind):
    return Case(
        name="demo",
        function=_demonstrate,
        file=None,
        benches=("lab",),
        guests=(kind,),
        more_guests=(),
        frontend=("xen-vbd",),
        backend="xenpv-backendd",
        kernels=(),
        timeout=1800,
        options={"image": "stock", "packages": PACKAGES[kind], "scripts": "stock"},
    )


def _demonstrate(kinds, clock, report):
    cases = {kind: _case(kind) for kind in kinds}
    bench = Bench(SimpleNamespace(keep=True))
    trouble = []
    try:
        bench.start(list(cases.values()))
        for kind, case in cases.items():
            env = bench.open(case, kind, ROOT / "build/lab/demo" / kind)
            if "xen_version" not in report:
                info = env.host.run("xl info; uname -r").out
                report["xen_version"] = re.search(r"xen_version\s*: (\S+)", info)[1]
                report["dom0_kernel"] = info.split()[-1]
                report["dom0_start_seconds"] = round(bench.machine.boot_seconds, 1)
                report["dom0_from_snapshot"] = bench.machine.from_snapshot
                clock.say(f"Xen {report['xen_version']}, dom0 {report['dom0_kernel']} is up")
            if env.host.run(f"test -e /sys/class/net/{BRIDGE}", check=False).rc:
                make_bridge(env.host, BRIDGE)
                clock.say(f"xenpv bridge create {BRIDGE}: dom0 and its NIC are on it")
            demo = GuestDemo(env, kind, clock)
            try:
                demo.run()
            except (CaseFailed, ChannelError) as error:
                demo.expect(False, str(error))
            trouble += demo.trouble
            trouble += [f"{kind}: in the logs: {c}" for c in bench.close(env, bool(demo.trouble))]
            report["guests"].append(demo.facts)
    finally:
        bench.stop()
    return trouble


def main():
    parser = argparse.ArgumentParser(prog="tests/lab/demo", description=__doc__)
    parser.add_argument("guest", nargs="*", help="guest types (default: pvh pv)")
    kinds = parser.parse_args().guest or ["pvh", "pv"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clock = Clock()
    report = {"guests": []}
    try:
        trouble = _demonstrate(kinds, clock, report)
    except (CaseFailed, harness.CaseSkipped, ChannelError, MachineError, RuntimeError) as error:
        trouble = [str(error)]
    except KeyboardInterrupt:
        trouble = ["interrupted"]
    # The first guest's figures stand at the top, all of them in "guests".
    summary = dict(report["guests"][0]) if report["guests"] else {}
    summary.update(report)
    summary["shutdown_clean"] = bool(report["guests"]) and all(
        guest.get("shutdown_clean") for guest in report["guests"]
    )
    summary["passed"] = not trouble
    summary["trouble"] = trouble
    summary["timeline"] = clock.steps
    summary["elapsed_seconds"] = clock.elapsed()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "demo.json").write_text(json.dumps(summary, indent=1) + "\n")
    write_report(summary, OUT / "demo.html")
    print(f"report: {OUT.relative_to(ROOT)}/demo.json, {OUT.relative_to(ROOT)}/demo.html")
    if trouble:
        print(f"demo: FAILED: {'; '.join(' '.join(t.split()) for t in trouble)}")
        return 1
    print("demo: PASSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
