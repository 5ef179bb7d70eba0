"""`python -m apps.network`."""

from __future__ import annotations

from apps.core.app import leave, main
from apps.network.app import NetworkApp

leave(main(NetworkApp))
