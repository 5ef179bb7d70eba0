"""Checks and tests the alert rules with promtool.

python -m tests.support.rules
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from opsctl.toolchain import programs

RULES = Path("opsctl/services/rules")
CASES = Path("tests/unit/services/rules")


def main() -> int:
    """Run promtool over every rule file and every rule test; return the exit code."""
    promtool = str(programs.path("prometheus", "promtool"))
    rules = sorted(str(path) for path in RULES.glob("*.yml"))
    cases = sorted(str(path) for path in CASES.glob("*.yml"))
    if not rules or not cases:
        print(f"no rule files in {RULES} or no rule tests in {CASES}", file=sys.stderr)
        return 1
    checked = subprocess.run([promtool, "check", "rules", *rules], check=False).returncode
    tested = subprocess.run([promtool, "test", "rules", *cases], check=False).returncode
    return checked or tested


if __name__ == "__main__":
    sys.exit(main())
