"""`python -m apps.data`: the data app as a process."""

import sys

from apps.core.app import main
from apps.data.app import DataApp

if __name__ == "__main__":
    sys.exit(main(DataApp))
