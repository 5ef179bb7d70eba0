"""`python -m apps.execution`."""

import sys

from apps.core.app import main
from apps.execution.app import Execution

if __name__ == "__main__":
    sys.exit(main(Execution))
