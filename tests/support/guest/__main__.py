"""Boot a guest, print its inventory, and keep it until ^C.

python -m tests.support.guest [--cpus 4] [--nodes 2] [--kernel linux-image-rt-amd64]
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.support.guest import Definition, guest, lacking


def main() -> int:
    """Boot it and wait for a signal; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.guest", description=__doc__)
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--memory-mib", type=int, default=1536)
    parser.add_argument("--kernel", default=Definition.kernel)
    given = parser.parse_args()
    if why := lacking():
        print(f"error: {why}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before = time.monotonic()
    disk = Definition(kernel=given.kernel)
    try:
        with guest(disk, cpus=given.cpus, nodes=given.nodes, memory_mib=given.memory_mib) as made:
            print(f"-- up after {time.monotonic() - before:.0f} s", file=sys.stderr)
            print(
                f"-- ssh {' '.join(made.ssh_options)} {made.user}@{made.address}", file=sys.stderr
            )
            print(f"-- console: {made.console}", file=sys.stderr)
            print(made.inventory, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
