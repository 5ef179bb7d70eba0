"""Measures the tiers as deployed and the order path by itself, and prints a table.

    make bench        (or: python -m tests.bench --rounds 3 --only throughput)

Every figure comes from a command that a user can run. The machine and its load are
printed with them, since neither is ours; a comparison is a ratio within one run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from platform import processor, python_version, release

from opsctl import environments
from opsctl.state import images_folder
from opsctl.targets import open_target
from tests.bench import (
    boxes,
    branches,
    containers,
    drill_report,
    infrastructure,
    platform,
    rack,
    throughput,
)
from tests.bench.row import Row
from tests.bench.timing import OPSCTL, opsctl_json, timed
from tests.support.servers import folder

SETTLE_S = 10
IDLE_S = 30


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU seconds that processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def help_ratio() -> Row:
    """Compare `opsctl --help` with the import of typer, in turn."""
    ratios = []
    for _ in range(7):
        ours = timed(OPSCTL, "--help")
        theirs = timed(sys.executable, "-c", "import typer")
        ratios.append(ours / theirs)
    return Row(
        "`opsctl --help` against `import typer`", "< 4 x", f"{statistics.median(ratios):.2f} x"
    )


def footprint(environment: str) -> tuple[Row, Row]:
    """Measure resident memory and CPU of all processes of a deployed environment."""
    target = open_target(environments.load(environment).environment)
    time.sleep(SETTLE_S)  # the first days of replay and the optimizer's import are no idle time
    running = [service for service in target.observe() if service.pid]
    pids = [service.pid for service in running if service.pid]
    rss = sum(service.rss_bytes or 0 for service in running)
    before, started = cpu_s(pids), time.perf_counter()
    time.sleep(IDLE_S)
    share = (cpu_s(pids) - before) / (time.perf_counter() - started)
    return (
        Row(f"resident memory of all {len(pids)} processes", "< 1.2 GB", f"{rss / 1e9:.2f} GB"),
        Row("CPU at rest (one replayed day each 2 s)", "< 15% of a core", f"{share:.1%}"),
    )


def latency(environment: str) -> list[Row]:
    """Measure tick-to-order with `opsctl verify`."""
    measured = opsctl_json("verify", environment)["latency"]
    assert isinstance(measured, dict)
    goal = f"< {measured['budget_us'] / 1e6:g} s"
    return [
        Row(
            f"tick to order, {name} of {measured['samples']}", goal, f"{measured[key] / 1e3:.2f} ms"
        )
        for name, key in (("p50", "p50_us"), ("p99", "p99_us"), ("max", "max_us"))
    ]


def measure(rounds: int) -> list[Row]:
    """Deploy, redeploy and destroy the daily tier, and return every figure."""
    rows = [help_ratio()]
    name = "daily"
    first, warm = [], []
    for _ in range(rounds):
        first.append(timed(OPSCTL, "deploy", name, "--no-verify"))
        timed(OPSCTL, "destroy", name, "--yes", "--keep-data")
        warm.append(timed(OPSCTL, "deploy", name, "--no-verify"))
        timed(OPSCTL, "destroy", name, "--yes")
    rows.append(Row("from nothing to healthy", "<= 15 s", f"{statistics.median(first):.1f} s"))
    rows.append(Row("on existing data", "<= 5 s", f"{statistics.median(warm):.1f} s"))
    timed(OPSCTL, "deploy", name, "--no-verify")
    try:
        unchanged = timed(OPSCTL, "deploy", name, "--no-verify", rounds=max(3, rounds))
        rows.append(Row("deploy again, nothing changed", "<= 1.5 s", f"{unchanged:.2f} s"))
        rows += footprint(name)
        rows += latency(name)
    finally:
        timed(OPSCTL, "destroy", name, "--yes")
    return rows


def machine() -> str:
    """Describe this machine and its load."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        processor(),
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GB, Linux {release()}, "
        f"Python {python_version()}, load before: {load}"
    )


PARTS: dict[str, Callable[[int], list[Row]]] = {
    "daily": measure,
    "throughput": throughput.measure,
    "platform": lambda _: platform.measure(),
    "report": drill_report.measure,
    "containers": lambda _: containers.measure(1),
    "boxes": lambda _: boxes.measure(),
    "infrastructure": lambda _: infrastructure.measure(),
    "rack": lambda _: rack.measure(),
    "branches": lambda _: branches.measure(),
}
"""What is measured, by the name that `--only` takes; in so many rounds, or as it has its own."""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PARTS)
    given = parser.parse_args()
    print(f"Machine: {machine()}\n")
    with folder() as state:
        os.environ.setdefault("OPSCTL_TOOLCHAIN", _toolchain())
        os.environ.setdefault("OPSCTL_IMAGES", str(images_folder()))
        os.environ["OPSCTL_STATE"] = str(state)
        rows: list[Row] = []
        for name, part in PARTS.items():
            if given.only in (None, name):
                rows += part(given.rounds)
    print("| figure | goal | measured |\n|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.goal} | {row.measured} |")
    return 0


def _toolchain() -> str:
    from opsctl.state import toolchain_folder

    return str(toolchain_folder())


if __name__ == "__main__":
    sys.exit(main())
