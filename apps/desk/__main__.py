"""Runs the dashboard: `python -m apps.desk`."""

from __future__ import annotations

import sys

from apps.core.app import main
from apps.desk.app import Desk

if __name__ == "__main__":
    sys.exit(main(Desk))
