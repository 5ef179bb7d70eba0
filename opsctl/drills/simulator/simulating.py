"""Many seeds on all processors; what fails is made short and told."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

import msgspec

from opsctl.drills.simulator.outcome import Failure, Simulation
from opsctl.drills.simulator.plan import Plan, drawn, smaller
from opsctl.drills.simulator.record import Counted, Record, code
from opsctl.drills.simulator.running import Outcome, run
from opsctl.errors import UsageError

CHUNK = 50
"""Seeds that a worker takes at a time."""
MOST_FAILURES = 5
TIMELINE_LINES = 200

Told = Callable[[int, int], None]
"""Takes how many seeds are done, and how many failed."""


def chunk(first: int, runs: int) -> Counted:
    """Run some seeds."""
    began, takeovers, accepted, failed = time.perf_counter(), 0, 0, []
    for seed in range(first, first + runs):
        found = run(drawn(seed))
        takeovers += max(0, found.epochs - 1)
        accepted += found.accepted
        if found.violation:
            failed.append(seed)
    return Counted(
        first=first,
        runs=runs,
        seconds=round(time.perf_counter() - began, 3),
        takeovers=takeovers,
        accepted=accepted,
        failed=tuple(failed),
    )


def simulate(first: int, runs: int, *, told: Told, record: Path | None = None) -> Simulation:
    """Run seeds `first` to `first + runs - 1`; those that stand in `record` are not run again.

    Raises `UsageError` where the record is none, or of other code.
    """
    began = time.monotonic()
    kept = Record(record)
    wanted = [(at, min(CHUNK, first + runs - at)) for at in range(first, first + runs, CHUNK)]
    missing = [each for each in wanted if each not in kept.known]
    done = [kept.known[each] for each in wanted if each in kept.known]
    interrupted = False
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_ready) as pool:
        try:
            for counted in pool.map(chunk, *zip(*missing, strict=True)) if missing else ():
                done.append(counted)
                kept.add(counted)
                told(sum(c.runs for c in done), sum(len(c.failed) for c in done))
        except KeyboardInterrupt:
            interrupted = True
            pool.shutdown(wait=False, cancel_futures=True)
    failed = [seed for counted in done for seed in counted.failed]
    total, seconds = sum(c.runs for c in done), time.monotonic() - began
    ran = sum(c.runs for c in done if (c.first, c.runs) in missing)
    return Simulation(
        verdict="failed" if failed else "interrupted" if interrupted else "passed",
        first=first,
        last=first + total - 1,
        runs=total,
        seconds=round(seconds, 1),
        runs_per_minute=round(ran / seconds * 60, 0) if seconds else 0.0,
        takeovers=sum(c.takeovers for c in done),
        orders_accepted=sum(c.accepted for c in done),
        code=code(),
        failures=tuple(failure(drawn(seed)) for seed in failed[:MOST_FAILURES]),
    )


def failure(plan: Plan) -> Failure:
    """Return a failing plan made as short as it gets, with the timeline of its run."""
    plan, found = shortest(plan)
    lines = tuple(f"{at * 1_000:9.1f} ms  {where:10} {what}" for at, where, what in found.history)
    return Failure(
        seed=plan.seed,
        violation=found.violation,
        plan=msgspec.to_builtins(plan),
        timeline=lines[-TIMELINE_LINES:],
    )


def shortest(plan: Plan) -> tuple[Plan, Outcome]:
    """Return a plan with nothing left that could be taken away so that it still fails."""
    found = run(plan)
    while found.violation:
        for less in smaller(plan):
            tried = run(less)
            if tried.violation:
                plan, found = less, tried
                break
        else:
            break
    return plan, found


def replay(file: Path) -> Simulation:
    """Run the plan of a file; raises `UsageError` where it holds none."""
    try:
        plan = msgspec.json.decode(file.read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError) as fault:
        raise UsageError(
            f"{file} holds no plan: {fault}", hint="a failure of --output json prints one"
        ) from fault
    began = time.monotonic()
    found = run(plan)
    return Simulation(
        verdict="failed" if found.violation else "passed",
        first=plan.seed,
        last=plan.seed,
        runs=1,
        seconds=round(time.monotonic() - began, 2),
        runs_per_minute=0.0,
        takeovers=max(0, found.epochs - 1),
        orders_accepted=found.accepted,
        code=code(),
        failures=(failure(plan),) if found.violation else (),
    )


def _ready() -> None:
    """Leave Ctrl-C to the process that asked, and end with it; what is imported is no garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    if (asked := parent_process()) is not None:
        threading.Thread(target=_end_after, args=(asked.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
