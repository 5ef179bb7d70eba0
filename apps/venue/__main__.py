"""Runs the venue: `python -m apps.venue`."""

from __future__ import annotations

import sys

from apps.core.app import main
from apps.venue.app import Venue

if __name__ == "__main__":
    sys.exit(main(Venue))
