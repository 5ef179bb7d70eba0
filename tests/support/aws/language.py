"""A language host of the suite's own, so that plain `pulumi up` runs a Python program in tests.

The official host comes with Pulumi's installer only. This one speaks the published protocol
(`pulumi.runtime.proto` of the SDK) as far as running a program of this repository needs: the
program runs with this Python, which has the packages. It runs `pulumi-language-python-exec`,
which the SDK's Go module has, from beside the engine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent import futures
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.support import preloaded

SHOWN = 32
"""The exit code of a program whose error Pulumi's SDK has shown already."""

LARGEST = 400 << 20
"""Bytes of a message, as the engine allows them."""


def language_folder(home: Path, runner: Path) -> Path:
    """Return a folder with the host, for the PATH of an engine; made if need be.

    `runner` is the `pulumi-language-python-exec` of the engine's version.
    """
    folder = home / "language-python"
    folder.mkdir(parents=True, exist_ok=True)
    preloaded.program(folder / "pulumi-language-python", __name__, "serve", orphaned_s=0)
    beside = folder / "pulumi-language-python-exec"
    if not beside.exists():
        beside.symlink_to(runner.resolve(strict=True))
    return folder


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs for one engine."""

    def __init__(self, engine: str, runner: Path) -> None:
        """Serve the engine at that address."""
        self._engine, self._runner = engine, runner
        self._programs: set[subprocess.Popen[bytes]] = set()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's names
        """Learn where the engine is."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Pass for the SDK's version."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Require nothing: providers come by `plugins` of the project."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Require nothing."""
        return language_pb2.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Ask nothing."""
        return language_pb2.RuntimeOptionsResponse()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say which Python runs the programs."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """List what is installed."""
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=one.name, version=one.version)
                for one in distributions()
            ]
        )

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run a program to its end."""
        info = request.info
        where = info.program_directory or request.pwd
        program = subprocess.Popen(
            [
                *(sys.executable, "-u", str(self._runner)),
                *("--monitor", request.monitor_address, "--engine", self._engine),
                *("--project", request.project, "--stack", request.stack),
                *("--pwd", where, "--root_directory", info.root_directory),
                *("--dry_run", str(request.dryRun).lower(), "--parallel", str(request.parallel)),
                *("--organization", request.organization or "organization"),
                info.entry_point or request.program or ".",
                *request.args,
            ],
            cwd=where,
            env={
                **os.environ,
                "PULUMI_CONFIG": json.dumps(dict(request.config)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            },
        )
        self._programs.add(program)
        context.add_callback(program.terminate)  # does nothing once it has ended
        code = program.wait()
        self._programs.discard(program)
        if code in (0, SHOWN):
            return language_pb2.RunResponse(bail=code == SHOWN)
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")

    def InstallDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Install nothing: this Python has what the programs need."""
        yield from ()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """End the programs."""
        for program in list(self._programs):
            program.terminate()
        return empty_pb2.Empty()


def serve() -> None:
    """Serve on a free port of loopback, print it, and end with the engine."""
    engine = next((one for one in reversed(sys.argv[1:]) if not one.startswith("-")), "")
    runner = Path(sys.argv[0]).with_name("pulumi-language-python-exec")
    host = Host(engine, runner)
    # An interrupt is how the engine ends a plugin, which has a process group of its own.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.max_send_message_length", LARGEST),
        ],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        server.wait_for_termination(2)
    host.Cancel(None, None)
    os._exit(0)
