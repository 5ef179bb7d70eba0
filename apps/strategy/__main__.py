"""`python -m apps.strategy`: the strategy app as a process."""

import os
import sys

# Before numpy is loaded: matrices of a few dozen stocks gain nothing from threads, which
# cost memory and the last bits of a sum their order.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from apps.core.app import main
from apps.strategy.app import StrategyApp

if __name__ == "__main__":
    sys.exit(main(StrategyApp))
