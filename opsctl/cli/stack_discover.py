"""`opsctl stack discover`: the first declaration of servers that are there already."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.boxes import (
    FORKS,
    AcceptOption,
    ForksOption,
    PasswordOption,
    Shown,
    explained,
    reach,
)
from opsctl.cli.common import Output, OutputOption, emit, say
from opsctl.errors import OpsctlError, UsageError


def discover(
    inventory: Annotated[
        Path, typer.Argument(help="An inventory in YAML, as opsctl provision takes it.")
    ],
    hosts: Annotated[
        list[str] | None, typer.Argument(help="Boxes by their names; all without.", metavar="HOST")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Write it to this file, which must not exist, such as Pulumi.ny.yaml.",
            metavar="FILE",
        ),
    ] = None,
    forks: ForksOption = FORKS,
    accept_host_keys: AcceptOption = False,
    become_password_file: PasswordOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Read the servers of an inventory, and write the first declaration of them.

    An environment file with `trading:onprem`, what was found of each as a comment; on stdout
    without `--to`. Nothing on a server is changed. One that could not be read is listed and
    not declared: exit 1.
    """
    from opsctl.provision.looking import discovered

    if to is not None and to.exists():
        raise UsageError(f"{to} is there already", hint="name another file: none is overwritten")
    asked = reach(inventory, forks, accept_host_keys, become_password_file)
    with Shown() as shown:
        found = discovered(asked, hosts or (), shown)
    if to is not None and found.servers:
        _write_new(to, found.declaration)
        found = found.model_copy(update={"file": str(to)})
    if output is Output.JSON:
        emit(found, output, str)
    elif to is None and found.servers:
        sys.stdout.write(found.declaration)
    elif found.file:
        say(f"{len(found.servers)} servers are declared in {to}")
    for one in found.missed:
        explained(one.host, one.failure)
    if found.missed:
        raise typer.Exit(1)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        raise OpsctlError(
            f"{path} cannot be written: {fault.strerror}", hint="name another file: --to FILE"
        ) from fault
