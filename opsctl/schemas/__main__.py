"""Writes the schema files, or says which are not current.

python -m opsctl.schemas [--write]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from opsctl.schemas import RESULTS, outdated, write


def main(argv: Sequence[str]) -> int:
    """Run; return the exit code: 1 where a file is not current and was not to be written."""
    if list(argv) not in ([], ["--write"]):
        print("usage: python -m opsctl.schemas [--write]", file=sys.stderr)
        return 2
    if argv:
        for name in write():
            print(f"written: {name}")
        return 0
    wrong = outdated()
    for name in wrong:
        print(f"not current: {name}; run: python -m opsctl.schemas --write", file=sys.stderr)
    if not wrong:
        print(f"{len(RESULTS)} schemas are current")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
