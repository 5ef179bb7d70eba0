"""Runs the venue: `python -m apps.venue`."""

from __future__ import annotations

from apps.core.app import leave, main
from apps.venue.app import Venue

if __name__ == "__main__":
    leave(main(Venue))
