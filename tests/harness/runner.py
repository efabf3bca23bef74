# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs cases on benches: command line, result lines, time limits, JSON results."""

import argparse
import fcntl
import fnmatch
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from .bench import CaseFailed, CaseSkipped
from .cases import TOP, discover

BENCHES = ("uml", "lab")


@dataclass
class Outcome:
    """What became of one case on one bench."""

    name: str
    status: str  # PASS, FAIL, SKIP
    seconds: float = 0.0
    text: str = ""
    logs: str = ""
    notes: dict = field(default_factory=dict)  # figures that the case recorded (env.note)

    def line(self):
        if self.status == "SKIP":
            return f"SKIP {self.name}  {self.text}"
        line = f"{self.status} {self.name} ({self.seconds:.1f} s)"
        for key, value in self.notes.items():
            line += f"  {key}={value}"
        if self.text:
            line += f"  {self.text}"
        if self.status == "FAIL" and self.logs:
            line += f"; logs: {os.path.relpath(self.logs, TOP)}"
        return line


class Run:
    """One case on one variant of a bench, from open to close."""

    def __init__(self, bench, case, variant, number=0):
        self.bench, self.case, self.variant = bench, case, variant
        middle = f"{variant}/" if variant else ""
        self.name = f"{bench.name}/{middle}{case.name}"
        self.logs = TOP / "build" / bench.name / "log" / middle / case.name
        if number:
            self.logs = self.logs.with_name(f"{case.name}.{number}")
        self.env = None
        self.excused = ""  # Bench.excuse() of the first attempt

    @property
    def slow(self):
        """Left to `make soak`, and to who asks for it."""
        return self.case.slow or self.variant.split("/")[0] in self.case.more_guests

    def _claim_logs(self):
        """A directory for logs that no other tests/run is using now, and its lock."""
        for number in range(100):
            logs = self.logs.with_name(f"{self.logs.name}-{number}") if number else self.logs
            logs.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(logs.parent / f".{logs.name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return logs, lock
            except BlockingIOError:
                os.close(lock)
        raise CaseFailed(f"{self.logs} and 99 alternatives are in use")

    def execute(self):
        """Run the case; once more if what failed is known not to be the case's doing."""
        outcome = self._attempt()
        if self.excused:
            outcome = self._attempt()
            outcome.notes[self.excused] = 1
        return outcome

    def _attempt(self):
        start = time.monotonic()
        logs, lock = self._claim_logs()
        status, text, notes = "PASS", "", {}
        timer = None
        try:
            self.env = self.bench.open(self.case, self.variant, logs)
            timer = threading.Timer(self.case.timeout * self.bench.time_scale, self.abort)
            timer.daemon = True
            timer.start()
            self.case.function(self.env)
        except CaseSkipped as skipped:
            status, text = "SKIP", str(skipped)
        except CaseFailed as failed:
            status, text = "FAIL", str(failed)
        except Exception as error:  # a case that breaks is a failed case
            status, text = "FAIL", f"{type(error).__name__}: {error}"
            logs.mkdir(parents=True, exist_ok=True)
            (logs / "traceback").write_text(traceback.format_exc())
        finally:
            if timer:
                timer.cancel()
        if self.env is not None:
            notes = dict(getattr(self.env, "notes", {}))
            if status == "FAIL" and not self.excused:
                self.excused = self.bench.excuse(self.env)
            try:
                complaints = self.bench.close(self.env, status == "FAIL")
            except Exception as error:
                complaints = [f"cleaning up: {type(error).__name__}: {error}"]
            if complaints and status == "PASS":
                status, text = "FAIL", f"in the logs: {complaints[0]}"
            elif complaints and status == "FAIL":
                text += f" (and in the logs: {complaints[0]})"
            self.env = None
        os.close(lock)
        seconds = time.monotonic() - start
        return Outcome(self.name, status, seconds, text, str(logs), notes)

    def abort(self):
        """End the case from outside: every call it has in progress fails."""
        env = self.env
        if env is not None and hasattr(env, "abort"):
            env.abort()


def _matches(run, filters):
    return not filters or any(
        fnmatch.fnmatch(run.name, pattern)
        or fnmatch.fnmatch(run.case.name, pattern)
        or fnmatch.fnmatch(run.case.file.stem, pattern)
        for pattern in filters
    )


def _load(names, options):
    benches = []
    for name in names:
        try:
            module = importlib.import_module(f"{name}.bench")
        except ModuleNotFoundError as missing:
            if missing.name not in (name, f"{name}.bench"):
                raise
            continue
        benches.append(module.Bench(options))
    return benches


def _parser():
    parser = argparse.ArgumentParser(
        prog="tests/run", description="Run test cases on the fast bench (uml) or real Xen (lab)."
    )
    parser.add_argument("filter", nargs="*", help="names or patterns, e.g. uml/resize, 'kill_*'")
    parser.add_argument("--bench", action="append", choices=BENCHES, help="default: all")
    parser.add_argument("--list", action="store_true", help="print the names and what they test")
    parser.add_argument("--jobs", type=int, help="cases at a time (default: what the bench bears)")
    parser.add_argument("--repeat", type=int, default=1, help="run each case so many times")
    parser.add_argument("--fail-fast", action="store_true", help="stop after the first failure")
    parser.add_argument("--keep", action="store_true", help="keep the logs of passed cases too")
    parser.add_argument("--kernel", choices=("plain", "debug"), help="uml: this kernel for all")
    parser.add_argument("--no-build", action="store_true", help="use what is built already")
    parser.add_argument("--slow", action="store_true", help="slow cases, too, without naming them")
    parser.add_argument("--suite", help="name of build/check/<suite>.json (default: the bench)")
    return parser


def _write_results(suite, outcomes):
    path = TOP / "build" / "check" / f"{suite}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    totals = {key: sum(o.status == key for o in outcomes) for key in ("PASS", "FAIL", "SKIP")}
    cases = [
        {
            "name": o.name,
            "status": o.status,
            "seconds": round(o.seconds, 2),
            "text": o.text,
            "logs": os.path.relpath(o.logs, TOP) if o.logs else "",
            "notes": o.notes,
        }
        for o in outcomes
    ]
    part.write_text(
        json.dumps(
            {
                "suite": suite,
                "passed": totals["PASS"],
                "failed": totals["FAIL"],
                "skipped": totals["SKIP"],
                "cases": cases,
            },
            indent=1,
        )
    )
    part.replace(path)
    return totals


def _run_all(bench, runs, options, outcomes):
    """Run the cases of one bench; returns False when it was interrupted."""
    jobs = max(1, options.jobs or bench.parallel)
    stop = threading.Event()

    def one(run):
        if stop.is_set():
            return None
        return run.execute()

    pool = ThreadPoolExecutor(max_workers=jobs)
    pending = [pool.submit(one, run) for run in runs]
    finished = True
    try:
        for future in as_completed(pending):
            outcome = future.result()
            if outcome is None:
                continue
            outcomes.append(outcome)
            print(outcome.line(), flush=True)
            if outcome.status == "FAIL" and options.fail_fast:
                stop.set()
    except KeyboardInterrupt:
        finished = False
        stop.set()
        for run in runs:
            run.abort()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return finished


def main(arguments=None):
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = tuple(options.bench or BENCHES)
    cases = discover()
    benches = _load(names, options)
    plan = []
    for bench in benches:
        runs = [
            Run(bench, case, variant)
            for case in cases
            if bench.name in case.benches
            for variant in bench.variants(case)
        ]
        runs = [run for run in runs if _matches(run, options.filter)]
        if not options.slow and not options.filter:
            runs = [run for run in runs if not run.slow]
        plan.append((bench, runs))
    if options.list:
        for _, runs in plan:
            for run in runs:
                print(f"{run.name:40} {run.case.doc}")
        return 0
    if not any(runs for _, runs in plan):
        print("tests/run: no case matches", file=sys.stderr)
        return 2
    outcomes = []
    finished = True
    for bench, runs in plan:
        if not runs or not finished:
            continue
        many = [Run(bench, r.case, r.variant, n) for n in range(options.repeat) for r in runs]
        try:
            bench.start([run.case for run in runs])
            finished = _run_all(bench, many, options, outcomes)
        except CaseSkipped as skipped:
            for run in many:
                outcomes.append(Outcome(run.name, "SKIP", text=str(skipped)))
                print(outcomes[-1].line(), flush=True)
        except CaseFailed as failed:
            for run in many:
                text = f"the bench did not start: {failed}"
                outcomes.append(Outcome(run.name, "FAIL", text=text))
                print(outcomes[-1].line(), flush=True)
        except KeyboardInterrupt:
            finished = False
        finally:
            bench.stop()
    totals = _write_results(options.suite or "-".join(names), outcomes)
    print(f"{totals['PASS']} passed, {totals['FAIL']} failed, {totals['SKIP']} skipped", flush=True)
    if not finished:
        print("tests/run: interrupted", file=sys.stderr)
        return 130
    return 1 if totals["FAIL"] else 0
