"""How long the report of a drill of a hundred thousand orders takes, and a browser with it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.row import Row
from tests.support import drilled, drilled_files
from tests.support.browser import tab
from tests.support.servers import folder

ORDERS = 100_000
OPSCTL = str(Path(sys.executable).with_name("opsctl"))
STUTTER = """async () => {
  let worst = 0, last = performance.now();
  for (let step = 0; step < 60; step += 1) {
    window.scrollBy(0, document.body.scrollHeight / 60);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
  }
  return worst;
}"""
"""Scrolls through the page; returns the longest time between two frames in ms."""


def measure(rounds: int) -> list[Row]:
    """Make the report of a made run, through the command, and scroll through it."""
    with folder() as state:
        run = drilled_files.write(drilled.made(ORDERS), state / "run")
        spent = []
        for _ in range(rounds):
            started = time.perf_counter()
            done = subprocess.run(
                [OPSCTL, "drill", "report", str(run), "--output", "json"],
                capture_output=True,
                text=True,
                check=True,
            )
            spent.append(time.perf_counter() - started)
        page = Path(json.loads(done.stdout)["html"])
        with tab() as opened:
            opened.page.goto(page.as_uri())
            frame_ms = float(opened.page.evaluate(STUTTER))
        size = page.stat().st_size / 1e3
    return [
        Row(
            f"report of a drill of {ORDERS:,} orders",
            "<= 5 s",
            f"{sorted(spent)[rounds // 2]:.1f} s",
        ),
        Row(
            "its page, longest frame while scrolling",
            "<= 50 ms",
            f"{frame_ms:.0f} ms, {size:.0f} kB",
        ),
    ]
