"""The `opsctl` command on a hot environment whose three members are one etcd.

python -m tests.integration.recovery.command SERVER.json failover NAME --to b
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from opsctl import targets
from opsctl.cli import selection
from opsctl.cli.main import main
from opsctl.model.environment import Environment
from opsctl.model.tiers import LatencyTier
from opsctl.state import environment_folder
from tests.integration.recovery.environment import hot, target
from tests.support.servers import Certificates, EtcdServer, Process


def described(server: EtcdServer) -> str:
    """Return what this command needs to know of a running server."""
    tls = {name: str(path) for name, path in vars(server.certificates).items()}
    return json.dumps({"port": server.port, "endpoint": server.endpoint, "certificates": tls})


def _server(text: str) -> EtcdServer:
    found = json.loads(text)
    tls = Certificates(**{name: Path(path) for name, path in found["certificates"].items()})
    none = Process([], Path(os.devnull))
    at = found["endpoint"]
    return EtcdServer(found["port"], at, tls, none, (at,), (none,))


def _standing(name: str | None, tier: LatencyTier | None) -> Environment:
    assert name is not None
    environment_folder(name).mkdir(parents=True, exist_ok=True)  # as its deploy has left it
    return hot(name)


if __name__ == "__main__":
    running = _server(Path(sys.argv.pop(1)).read_text())
    selection.standing = _standing
    at = target(running, Path(os.environ["OPSCTL_STATE"]) / "host")
    targets.open_target = lambda environment: at
    # Whoever started the suite in the background had Ctrl-C ignored by all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
