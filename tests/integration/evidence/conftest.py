"""A real SeaweedFS: S3 with object lock."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from opsctl.errors import OpsctlError
from opsctl.evidence import Store, anchored
from opsctl.toolchain import programs
from tests.support.servers import Process, folder, free_port, wait_for

PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc", "admin.port", "admin.port.grpc"),
    "metricsPort",
)


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """Run a SeaweedFS with one identity, and return how to reach it."""
    with folder() as home:
        port, access_key, secret_key = free_port(), "opsctl", secrets.token_hex(16)
        identity = {
            "name": "opsctl",
            "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        argv = [
            str(programs.path("seaweedfs", "weed")),
            *("mini", f"-dir={home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
            *(f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            f"-s3.config={home / 's3.json'}",
            *(f"-{name}={free_port()}" for name in PORTS),
        ]
        process = Process(argv, home / "log")
        process.start()
        made = Store(
            endpoint=f"http://127.0.0.1:{port}", access_key=access_key, secret_key=secret_key
        )

        def ready() -> bool:
            assert process.alive, process.log()
            try:
                anchored(made)
            except OpsctlError:
                return False
            return True

        try:
            wait_for(ready, "seaweedfs", timeout_s=30.0)
            yield made
        finally:
            process.stop()
