"""Programs of this repository, run by forking a process that has imported what they need.

`opsctl` on AWS imports for two seconds of a processor, the tests' provider for half a second, and
the suite starts them hundreds of times. What is run is the same function in a process of its
own, with its own arguments, variables, folder, output and exit code: only the imports are shared.
What a test kills by its pid, it starts as the program that it is instead.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
MODULES = (
    "dill",
    "tests.support.aws.language",
    "tests.support.aws.plugin",
    "tests.support.aws.provider",
    "opsctl.cli.main",
    "opsctl.cli.deploy",
    "opsctl.cli.destroy",
    "opsctl.cli.health",
    "opsctl.cli.infrastructure",
    "opsctl.cli.plan",
    "opsctl.cli.stack",
    "opsctl.infra.engine",
    "opsctl.infra.whole",
    "pulumi.dynamic",
    "pulumi_aws.budgets",
    "pulumi_aws.cloudwatch",
    "pulumi_aws.ebs",
    "pulumi_aws.ec2",
    "pulumi_aws.iam",
    "pulumi_aws.kms",
    "pulumi_aws.rds",
    "pulumi_aws.route53",
    "pulumi_aws.s3",
    "pulumi_aws.secretsmanager",
    "pulumi_aws.sns",
    "pulumi_aws.vpc",
    "stacks.aws.program",
    "stacks.onprem.program",
)
"""What is imported before the first fork: what most of these programs need, and takes long."""
SERVICES = (
    "budgets",
    "cloudwatch",
    "ec2",
    "iam",
    "kms",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "service-quotas",
    "sns",
    "ssm",
    "sts",
)
"""What boto3 has read the description of by then: it makes the classes of clients from them."""
REQUEST = 200_000
"""Bytes that a request may have: arguments and variables."""
PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(0))
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect({place!r})
said = [{module!r}, {name!r}, sys.argv, os.getcwd(), dict(os.environ), True]
socket.send_fds(line, [json.dumps(said).encode()], [0, 1, 2])
parent = os.getppid()
line.settimeout(2)
while os.getppid() == parent:
    try:
        os._exit(int(line.recv(16) or 1))
    except TimeoutError:
        pass
time.sleep({orphaned_s})
"""


class Server:
    """The process that forks, for as long as the process that started it lives."""

    def __init__(self, module: str = "", env: Mapping[str, str] | None = None) -> None:
        """Start it; it takes requests as soon as it has imported.

        What it imports is what `preload` of a `module` does, instead of what `opsctl` needs.
        """
        self.place = f"{tempfile.mkdtemp(prefix='opsctl-test-')}/socket"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.place)
        listener.listen(64)
        with listener:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.support.preloaded"),
                    *(str(listener.fileno()), module),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env=env,
                pass_fds=[listener.fileno()],
            )
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it; what it has forked ends by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def server() -> Server:
    """Return the server of this process, started if need be."""
    return Server()


def run(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `opsctl` to its end, as `subprocess.run` does a program; its input is empty."""
    said = json.dumps(["opsctl.cli.main", "main", [*argv], str(cwd), dict(env), False])
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        Path(os.devnull).open("rb") as nothing,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
    ):
        line.connect(server().place)
        socket.send_fds(line, [said.encode()], [nothing.fileno(), out.fileno(), err.fileno()])
        code = line.recv(16)
        out.seek(0)
        err.seek(0)
        texts = (each.read().decode(errors="replace") for each in (out, err))
        return subprocess.CompletedProcess([*argv], int(code or b"-9"), *texts)


def program(
    place: Path, module: str, name: str, *, orphaned_s: float, forking: Server | None = None
) -> None:
    """Write a program that runs a function of a module, forked; it ends when the program does.

    It outlives by `orphaned_s` who started it, if nobody ends it. It is forked by `forking`, or
    by what forks `opsctl`.
    """
    place.write_text(
        PROGRAM.format(
            python=sys.executable,
            place=(forking or server()).place,
            module=module,
            name=name,
            orphaned_s=orphaned_s,
        )
    )
    place.chmod(0o755)


def serve(listener: socket.socket, preload: Callable[[], None]) -> None:
    """Fork for every request, until the process that started this one has ended."""
    preload()
    gc.collect()
    gc.freeze()  # what is shared must not be written to by the first collection of each fork
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        line, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _run(line)
        line.close()


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _preload() -> None:
    """Import, and have boto3 read, what takes long."""
    import boto3
    import botocore.session

    for name in MODULES:
        hasattr(importlib.import_module(name), "any")  # a provider's package imports itself then
    # Each session would read the descriptions anew; none of its own is kept here.
    cached: Any = functools.cache(botocore.session.create_loader)
    botocore.session.create_loader = cached
    session = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-")
    for service in SERVICES:
        make: Any = session.client
        make(service, region_name="eu-central-1").close()


def _run(line: socket.socket) -> None:
    """Run what is asked for, and end this process with its exit code."""
    said, (*descriptors,), _, _ = socket.recv_fds(line, REQUEST, 3)
    module, name, argv, cwd, environment, bound = json.loads(said)
    for number, given in enumerate(descriptors):
        os.dup2(given, number)
        os.close(given)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv, sys.path[0] = argv, str(Path(argv[0]).parent)
    if bound:
        threading.Thread(target=_end_with, args=[line], daemon=True).start()
    code: object = 0
    try:
        getattr(importlib.import_module(module), name)()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    number = int(code or 0)  # type: ignore[call-overload]
    with contextlib.suppress(OSError):
        line.send(str(number).encode())
    os._exit(number)


def _end_with(line: socket.socket) -> None:
    """End this process when the program that it runs for has ended."""
    line.recv(1)
    os._exit(1)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as own:
        place = Path(own.getsockname())
        serve(own, importlib.import_module(sys.argv[2]).preload if sys.argv[2] else _preload)
    shutil.rmtree(place.parent)  # here: a worker of the suite may end without a last word
