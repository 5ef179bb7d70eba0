"""A moto server: AWS over HTTP on this machine, with an account of its own."""

from __future__ import annotations

import contextlib
import functools
import random
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3

from tests.support import preloaded
from tests.support.aws import moto_server
from tests.support.process import Process, folder, free_port, wait_for

REGION = "eu-central-1"
"""Where clients work if a test names no region."""

KEY = "AKIAIOSFODNN7EXAMPLE"
"""The access key of AWS's own documentation; moto takes any."""


@dataclass(frozen=True)
class AwsServer:
    """A running server."""

    endpoint: str
    account: str
    process: Process
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which boto3, the provider and opsctl find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "of no use",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """Return the client of boto3 for a service in a region, made once: that takes longest."""
        if (service, region) not in self._clients:
            make: Any = _session().client
            made = make(service, region_name=region, endpoint_url=self.endpoint)
            self._clients[service, region] = made
        return self._clients[service, region]

    def reset(self) -> None:
        """Forget everything that was made."""
        self._told("reset")

    @contextlib.contextmanager
    def judging(self) -> Iterator[None]:
        """Hold callers to the policies of who they are, until the block ends."""
        self._told("reset-auth", b"0")
        try:
            yield
        finally:
            self._told("reset-auth", b"inf")

    def _told(self, what: str, data: bytes = b"") -> None:
        request = urllib.request.Request(  # noqa: S310
            f"{self.endpoint}/moto-api/{what}",
            data=data,
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(request).close()  # noqa: S310 - our own server


@functools.cache
def _session() -> boto3.Session:
    """Return the session of the clients of every server: one reads AWS's descriptions once."""
    return boto3.Session(aws_access_key_id=KEY, aws_secret_access_key="of no use")


@contextlib.contextmanager
def aws_server() -> Iterator[AwsServer]:
    """Run a server on a free port of loopback until the block ends."""
    with folder() as home:
        port = free_port()
        account = str(random.randrange(10**11, 10**12))
        program = home / "moto"
        preloaded.program(
            program, moto_server.__name__, "serve", orphaned_s=0, forking=moto_server.forking()
        )
        process = Process(
            [str(program), "-H", "127.0.0.1", "-p", str(port)],
            home / "log",
            env={**moto_server.environment(), "MOTO_ACCOUNT_ID": account},
        )
        process.start()
        server = AwsServer(f"http://127.0.0.1:{port}", account, process)

        def ready() -> bool:
            assert process.alive, process.log()
            try:
                urllib.request.urlopen(f"{server.endpoint}/moto-api/data.json").close()  # noqa: S310
            except OSError:
                return False
            return True

        try:
            wait_for(ready, "the AWS server", timeout_s=60)
            yield server
        finally:
            process.stop()
