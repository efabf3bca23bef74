#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the lab's part of the benchmark, join the native part, write the reports."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from bench import disk, report  # noqa: E402
from bench.stats import fmt_ratio, summary  # noqa: E402
from harness.cases import Case  # noqa: E402

REPORT = TOP / "build" / "report"
REPEAT = int(os.environ.get("BENCH_REPEAT", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
IOS = int(os.environ.get("BENCH_IOS", "2000"))
START = time.monotonic()


def say(text):
    seconds = int(time.monotonic() - START)
    print(f"[{seconds // 60:02d}:{seconds % 60:02d}] {text}", flush=True)


def make_case(frontend, backend):
    return Case(
        name=f"bench-{backend}-{frontend}",
        function=None,
        file=Path(__file__),
        benches=("lab",),
        guests=("pv",),
        frontend=(frontend,),
        backend=backend,
        kernels=("plain",),
        timeout=1200,
    )


def with_env(lab, frontend, backend, function):
    """Call @function(env) in an environment of the lab; complaints in the logs are errors."""
    case = make_case(frontend, backend)
    variants = lab.variants(case)
    env = lab.open(case, variants[0], REPORT / "logs" / case.name)
    failed = True
    try:
        result = function(env)
        failed = False
    finally:
        complaints = lab.close(env, failed)
    if complaints:
        raise RuntimeError(f"{case.name}: in the logs: {complaints[0]}")
    return result


def warm_up(lab, backend, problems):
    """The emulator translates code when it first runs: nobody's figures are to pay for that."""
    for frontend in disk.FRONTENDS:
        try:
            with_env(lab, frontend, backend, lambda e: disk.measure_guest(e, 1, 100))
        except Exception as error:
            problems.append(f"warm-up of {frontend} on {backend}: {error}")
    say(f"{backend} is warm")


def run_lab():
    from lab.bench import Bench

    options = SimpleNamespace(keep=False, jobs=1, repeat=1, fail_fast=False, filter=[])
    lab = Bench(options)
    runs, costs, problems = {}, {}, []
    pairs = [(b, f) for b in disk.BACKENDS for f in disk.FRONTENDS]
    say("starting the lab")
    lab.start([make_case(f, b) for b, f in pairs])
    try:
        host = with_env(lab, "xen-vbd", "xenpv-backendd", lambda e: disk.measure_host(e, SECONDS))
        say("dom0 measured")
        for backend in disk.BACKENDS:
            warm_up(lab, backend, problems)
            for turn in range(REPEAT):
                # Who goes first changes: the machine gets warmer and slower in the course of time.
                for frontend in disk.FRONTENDS[:: -1 if turn % 2 else 1]:
                    what = f"{frontend} on {backend}, run {turn + 1} of {REPEAT}"
                    try:
                        results, cost = with_env(
                            lab, frontend, backend, lambda e: disk.measure_guest(e, SECONDS, IOS)
                        )
                    except Exception as error:  # one pairing that fails must not hide the others
                        problems.append(f"{what}: {error}")
                        say(f"FAILED {problems[-1]}")
                        continue
                    runs.setdefault((backend, frontend), []).append(results)
                    costs.setdefault((backend, frontend), []).append(cost)
                    say(what)
    finally:
        lab.stop()
    return {"host": host, "runs": runs, "costs": costs, "problems": problems}


def run_native():
    """The table of tests/bench/native/run, or None when it failed."""
    native = subprocess.run([str(TOP / "tests/bench/native/run")], cwd=TOP, check=False)
    path = REPORT / "bench-native.json"
    if native.returncode or not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def cost_rows(costs):
    rows = []
    for (backend, frontend), taken in costs.items():
        for workload in disk.COUNTED:
            keys = [key for key in taken[0][workload] if key != "ios"]
            rows.append(
                {
                    "backend": backend,
                    "frontend": frontend,
                    "workload": workload,
                    **{key: summary([run[workload][key] for run in taken]) for key in keys},
                }
            )
    return rows


def number(value):
    return "-" if value is None else f"{value['median']:.4g}"


def text_tables(rows, costs):
    head = ("backend", "workload", "unit", "xen-vbd", "xen-blkfront", "ratio (spread)")
    table = [
        (
            r["backend"],
            r["workload"],
            r["unit"],
            number(r["xen-vbd"]),
            number(r["xen-blkfront"]),
            fmt_ratio(r["ratio"]),
        )
        for r in rows
    ]
    per_io = ("guest_hypercalls", "guest_event_channel_ops", "guest_interrupts")
    per_io += ("host_hypercalls", "host_event_channel_ops", "host_grant_table_ops")
    cost_head = ("backend", "frontend", "workload", *(k.replace("_", " ") for k in per_io))
    cost_table = [
        (r["backend"], r["frontend"], r["workload"], *(number(r.get(k)) for k in per_io))
        for r in costs
    ]
    return (head, table), (cost_head, cost_table)


def print_table(head, rows):
    widths = [max(len(str(row[i])) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  " + "  ".join(str(c).ljust(w) for c, w in zip(row, widths)).rstrip())


def main():
    REPORT.mkdir(parents=True, exist_ok=True)
    native = run_native()
    lab = run_lab()
    rows = disk.compare(lab["runs"])
    costs = cost_rows(lab["costs"])
    result = {
        "method": "tests/bench/README.md",
        "repeat": REPEAT,
        "seconds_per_workload": SECONDS,
        "dom0": lab["host"],
        "disk": rows,
        "cost_per_io": costs,
        "native": native,
        "problems": lab["problems"] + ([] if native else ["the native benchmark failed"]),
        "elapsed_seconds": round(time.monotonic() - START),
    }
    (REPORT / "bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (head, table), (cost_head, cost_table) = text_tables(rows, costs)
    sections = [("xen-vbd and xen-blkfront", report.table(head, table))]
    for backend in disk.BACKENDS:
        for unit in ("iops", "mbps"):
            groups = [
                (r["workload"], {f: r[f] for f in disk.FRONTENDS})
                for r in rows
                if r["backend"] == backend and r["unit"] == unit
            ]
            sections.append(
                (f"{backend}, {unit}", report.bars(groups, disk.FRONTENDS, unit))
            )
    sections.append(("What an I/O costs", report.table(cost_head, cost_table)))
    if native:
        rows_native = native.get("rows", [])
        if rows_native:
            names = list(rows_native[0])
            cells = [[r.get(n, "") for n in names] for r in rows_native]
            sections.append(("Native", report.table(names, cells)))
    (REPORT / "bench.html").write_text(report.page("xenpv: throughput", sections), encoding="utf-8")

    print()
    print_table(head, table)
    print()
    print_table(cost_head, cost_table)
    print()
    for problem in result["problems"]:
        print(f"problem: {problem}")
    verdict = "INCOMPLETE" if result["problems"] else "DONE"
    print(f"bench: {verdict}; build/report/bench.json, build/report/bench.html")
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
