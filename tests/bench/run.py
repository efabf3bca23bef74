#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the lab's part of the benchmark, join the native part, write the reports.

Usage: tests/bench/run.py [disk] [net]    (default: both)
"""

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

from bench import disk, net, report  # noqa: E402
from bench.stats import fmt_ratio, ratio, summary  # noqa: E402
from harness.cases import Case  # noqa: E402

SUITES = {suite.NAME: suite for suite in (disk, net)}
REPORT = TOP / "build" / "report"
PAIR = "own pair / stock pair"
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
        more_guests=(),
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


def warm_up(lab, suite, backend, problems):
    """The emulator translates code when it first runs: nobody's figures are to pay for that."""
    for frontend in suite.FRONTENDS:
        try:
            with_env(lab, frontend, backend, lambda e: suite.measure_guest(e, 1, 100))
        except Exception as error:
            problems.append(f"warm-up of {frontend} on {backend}: {error}")
    say(f"{backend} is warm")


def run_suite(lab, suite):
    """{"host", "runs", "costs", "problems"} of one suite."""
    runs, costs, problems = {}, {}, []
    host = with_env(
        lab, suite.OURS, "xenpv-backendd", lambda e: suite.measure_host(e, SECONDS)
    )
    for backend in suite.BACKENDS:
        warm_up(lab, suite, backend, problems)
        for turn in range(REPEAT):
            # Who goes first changes: the machine gets warmer and slower in the course of time.
            for frontend in suite.FRONTENDS[:: -1 if turn % 2 else 1]:
                what = f"{frontend} on {backend}, run {turn + 1} of {REPEAT}"
                try:
                    results, cost = with_env(
                        lab, frontend, backend, lambda e: suite.measure_guest(e, SECONDS, IOS)
                    )
                except Exception as error:  # one pairing that fails must not hide the others
                    problems.append(f"{what}: {error}")
                    say(f"FAILED {problems[-1]}")
                    continue
                runs.setdefault((backend, frontend), []).append(results)
                costs.setdefault((backend, frontend), []).append(cost)
                say(what)
    return {"host": host, "runs": runs, "costs": costs, "problems": problems}


def run_lab(suites):
    """{suite: what run_suite() returns}"""
    from lab.bench import Bench

    options = SimpleNamespace(keep=False, jobs=1, repeat=1, fail_fast=False, filter=[])
    lab = Bench(options)
    say("starting the lab")
    lab.start([make_case(f, b) for s in suites for b in s.BACKENDS for f in s.FRONTENDS])
    try:
        return {suite: run_suite(lab, suite) for suite in suites}
    finally:
        lab.stop()


def compare(suite, runs):
    """From {(backend, frontend): [results, ...]} to rows of summaries and ratios.

    The last rows are our two ends over the kernel's two ends.
    """
    rows = []
    pairs = [(b, {f: (b, f) for f in suite.FRONTENDS}) for b in suite.BACKENDS]
    pairs.append(
        (
            PAIR,
            {
                suite.OURS: ("xenpv-backendd", suite.OURS),
                suite.STOCK: (suite.STOCK_BACKEND, suite.STOCK),
            },
        )
    )
    for backend, keys in pairs:
        for name in suite.WORKLOADS:
            unit = suite.workload_unit(name)
            series = {
                frontend: [run[name][unit] for run in runs.get(key, [])]
                for frontend, key in keys.items()
            }
            rows.append(
                {
                    "backend": backend,
                    "workload": name,
                    "unit": unit,
                    **{frontend: summary(values) for frontend, values in series.items()},
                    "ratio": ratio(series[suite.OURS], series[suite.STOCK]),
                }
            )
    return rows


def run_native():
    """The table of tests/bench/native/run, or None when it failed."""
    native = subprocess.run([str(TOP / "tests/bench/native/run")], cwd=TOP, check=False)
    path = REPORT / "bench-native.json"
    if native.returncode or not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def cost_rows(suite, costs):
    rows = []
    for (backend, frontend), taken in costs.items():
        for workload in suite.COUNTED:
            keys = [key for key in taken[0][workload] if key not in ("ios", "packets")]
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


def text_tables(suite, rows, costs):
    head = ("backend", "workload", "unit", suite.OURS, suite.STOCK, "ratio (spread)")
    table = [
        (
            r["backend"],
            r["workload"],
            r["unit"],
            number(r[suite.OURS]),
            number(r[suite.STOCK]),
            fmt_ratio(r["ratio"]),
        )
        for r in rows
    ]
    per_io = ("guest_hypercalls", "guest_event_channel_ops", "guest_grant_table_ops")
    per_io += ("guest_interrupts",)
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


def sections_of(suite, rows, costs):
    """The suite's part of the page, and its two tables as (head, rows)."""
    tables = text_tables(suite, rows, costs)
    sections = [(f"{suite.OURS} and {suite.STOCK}", report.table(*tables[0]))]
    for backend in suite.BACKENDS:
        for unit in dict.fromkeys(map(suite.workload_unit, suite.WORKLOADS)):
            groups = [
                (r["workload"], {f: r[f] for f in suite.FRONTENDS})
                for r in rows
                if r["backend"] == backend and r["unit"] == unit
            ]
            sections.append((f"{backend}, {unit}", report.bars(groups, suite.FRONTENDS, unit)))
    sections.append((f"What one {suite.PER} costs", report.table(*tables[1])))
    return sections, tables


def main():
    suites = [SUITES[name] for name in sys.argv[1:] or SUITES]
    REPORT.mkdir(parents=True, exist_ok=True)
    native = run_native() if disk in suites else None
    result = {
        "method": "tests/bench/README.md",
        "repeat": REPEAT,
        "seconds_per_workload": SECONDS,
        "native": native,
        "problems": ["the native benchmark failed"] if disk in suites and not native else [],
    }
    sections, printed = [], []
    for suite, found in run_lab(suites).items():
        rows, costs = compare(suite, found["runs"]), cost_rows(suite, found["costs"])
        result[suite.NAME] = rows
        result[f"cost_per_{suite.PER.replace('/', '').lower()}"] = costs
        if found["host"]:
            result["dom0"] = found["host"]
        result["problems"] += found["problems"]
        more, tables = sections_of(suite, rows, costs)
        sections += more
        printed += tables
    if native and native.get("rows"):
        names = list(native["rows"][0])
        cells = [[r.get(n, "") for n in names] for r in native["rows"]]
        sections.append(("Native", report.table(names, cells)))
    result["elapsed_seconds"] = round(time.monotonic() - START)
    (REPORT / "bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (REPORT / "bench.html").write_text(report.page("xenpv: throughput", sections), encoding="utf-8")

    print()
    for head, rows in printed:
        print_table(head, rows)
        print()
    for problem in result["problems"]:
        print(f"problem: {problem}")
    verdict = "INCOMPLETE" if result["problems"] else "DONE"
    print(f"bench: {verdict}; build/report/bench.json, build/report/bench.html")
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
