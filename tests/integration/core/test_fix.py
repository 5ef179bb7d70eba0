"""Sessions of two QuickFIX engines with one another."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.core.two_engines import REPORTS


def test_the_engines_thread_keeps_its_python_state_from_one_message_to_the_next() -> None:
    argv = [sys.executable, "-m", "tests.integration.core.two_engines"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [str(number) for number in range(1, REPORTS + 1)]
