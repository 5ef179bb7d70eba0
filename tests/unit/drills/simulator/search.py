"""Searches the first seed that finds each planted fault, for `test_mutations.FOUND`.

python -m tests.unit.drills.simulator.search [NAME ...]
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor

from opsctl.drills.simulator.plan import drawn
from opsctl.drills.simulator.running import run
from tests.unit.drills.simulator.mutations import MUTATIONS, planted

MOST = 2_000


def first(name: str) -> tuple[int | None, str]:
    """Return the first seed that finds a planted fault, and how it shows."""
    with planted(name):
        for seed in range(MOST):
            if found := run(drawn(seed)).violation:
                return seed, found
    return None, "not found"


def main() -> None:
    """Search for those that are named, or for all."""
    names = sys.argv[1:] or list(MUTATIONS)
    with ProcessPoolExecutor(2) as pool:
        for name, (seed, found) in zip(names, pool.map(first, names), strict=True):
            print(f'    "{name}": {seed},  # {found}', flush=True)


if __name__ == "__main__":
    main()
