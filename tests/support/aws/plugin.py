"""The provider as the engine starts it, and the folder where the engine finds it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc  # type: ignore[import-untyped]

from tests.support import preloaded

REPOSITORY = Path(__file__).parents[3]
ORPHANED_S = 300.0
"""How long a provider outlives its engine: as the real ones, which then notice that it is gone."""


def executable(home: Path, name: str, module: str) -> Path:
    """Write a program that runs a module of this repository with this Python."""
    home.mkdir(parents=True, exist_ok=True)
    program = home / name
    program.write_text(
        f"#!{sys.executable}\n"
        f"import runpy, sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
        f"runpy.run_module({module!r}, run_name='__main__')\n"
    )
    program.chmod(0o755)
    return program


def provider_folder(home: Path, *, forked: bool = True) -> Path:
    """Return a folder for `plugins.providers[].path` of a Pulumi.yaml, made if need be.

    A `forked` provider starts five times faster, and dies a moment after it was killed.
    """
    folder, name, module = home / "provider-aws", "pulumi-resource-aws", "tests.support.aws.plugin"
    if forked:
        folder.mkdir(parents=True, exist_ok=True)
        preloaded.program(folder / name, module, "serve", orphaned_s=ORPHANED_S)
    else:
        executable(folder, name, module)
    return folder


def serve() -> None:
    """Serve on a free port of loopback, print it, and end with the engine."""
    from pulumi.runtime.proto import provider_pb2_grpc

    from tests.support.aws.provider import Errors, Provider

    # An interrupt is how the engine ends a plugin, which has a process group of its own.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server = grpc.server(futures.ThreadPoolExecutor(16), interceptors=[Errors()])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    leave = threading.Event()
    while os.getppid() == parent:  # True on timeout
        server.wait_for_termination(2)
    leave.wait(ORPHANED_S)
    os._exit(0)


if __name__ == "__main__":
    serve()
