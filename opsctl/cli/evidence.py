"""`opsctl evidence`: what every change left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.evidence import Line, Store
    from opsctl.evidence.results import Checked, Lines, Shown

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="List, show and verify what every change left.",
    epilog="Example: [bold]opsctl evidence list --environment daily[/bold]",
)

EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", help="Only of this environment.")
]

_STYLES = {"done": "green", "failed": "red", "interrupted": "yellow", "passed": "green"}


@app.command(
    "list", epilog="Example: [bold]opsctl evidence list --environment daily --limit 5[/bold]"
)
def list_lines(
    environment: EnvironmentOption = None,
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Only of this command.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="The newest so many; 0: all.")
    ] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the lines of the evidence log, the newest last."""
    from opsctl import evidence
    from opsctl.evidence.results import Lines

    lines = [
        line
        for line in evidence.log().read()
        if environment in (None, line.environment) and command in (None, line.command)
    ]
    found = Lines(lines=tuple(lines[-limit:] if limit else lines), total=len(lines))
    emit(found, output, lambda: _list_table(found))


def _list_table(found: Lines) -> RenderableType:
    if not found.lines:
        return Text("no evidence of that")
    # The id of a run begins with its time, in UTC.
    who = Column("who", overflow="fold")
    run = Column("run", no_wrap=True)
    words = ("command", "environment", "outcome", "took")
    shown = Table("line", run, *words, who, box=None, pad_edge=False)
    for line in found.lines:
        took = "" if line.duration_s is None else f"{line.duration_s:.1f} s"
        shown.add_row(
            str(line.index),
            line.run,
            line.command,
            line.environment or "",
            Text(line.outcome, _STYLES[line.outcome]),
            took,
            Text(f"{line.user}@{line.host}"),
        )
    left = found.total - len(found.lines)
    return Group(shown, Text(f"{left} older lines: --limit 0 lists all", "dim")) if left else shown


@app.command("show", epilog="Example: [bold]opsctl evidence show 20261123T210456123Z-3f9a1c[/bold]")
def show(
    run: Annotated[
        str | None, typer.Argument(help="A run's id or a line's number; the last line without.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one line of the evidence log whole, and the files that its run left."""
    from opsctl import evidence
    from opsctl.evidence.results import Shown

    line = _chosen(evidence.log().read(), run)
    folder = Path(line.folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    found = Shown(line=line, files=tuple(files))
    emit(found, output, lambda: _show_table(found))


def _chosen(lines: list[Line], run: str | None) -> Line:
    if not lines:
        raise UsageError(
            "there is no evidence yet", hint="every change leaves a line: opsctl deploy"
        )
    if run is None:
        return lines[-1]
    fitting = [line for line in lines if run in (line.run, str(line.index))]
    fitting = fitting or [line for line in lines if line.run.startswith(run)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"{run} fits {len(fitting)} runs",
            hint="write more of its id",
            details=[line.run for line in fitting[:10]],
        )
    raise UsageError(f"no line of evidence is of run {run}", hint="opsctl evidence list --limit 0")


def _show_table(found: Shown) -> RenderableType:
    import json

    shown = Table("", Column(overflow="fold"), show_header=False, box=None, pad_edge=False)
    content = found.line.model_dump(mode="json")
    for key in ("arguments", "result"):
        content[key] = json.dumps(content[key], indent=2) if content[key] else ""
    for key, value in content.items():
        shown.add_row(key, Text("" if value is None else str(value)))
    shown.add_row("files", Text("\n".join(found.files) or "the folder is gone"))
    return shown


@app.command("verify", epilog="Example: [bold]opsctl evidence verify --environment daily[/bold]")
def verify(
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", "-e", help="Compare with the anchor in this environment's store."
        ),
    ] = None,
    signers: Annotated[
        Path | None,
        typer.Option(
            "--signers",
            exists=True,
            dir_okay=False,
            help="Trust the keys of this allowed-signers file (OpenSSH) alone.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find changed, missing, moved and cut lines; exit 3 where there is one.

    The chain tells of every line but the last ones; a tail that was cut is told by the
    signed head, and by the anchor where one is compared.
    """
    from opsctl import evidence
    from opsctl.state import environment_folder

    store = _store(environment) if environment is not None else None
    kept = evidence.kept(environment_folder(environment)) if environment is not None else ()
    anchor = evidence.anchored(store) if store is not None else None
    where = f"{store.endpoint}/{store.bucket}" if store is not None else ""
    found = evidence.check(anchor=anchor, where=where, kept=kept, signers=signers)
    emit(found, output, lambda: _verify_table(found))
    if found.verdict == "failed":
        raise typer.Exit(3)


def _store(name: str) -> Store:
    """Return the object store of an environment as it stands."""
    from opsctl.cli.selection import deployed
    from opsctl.deploy.store import store_of
    from opsctl.targets import open_target

    store = store_of(open_target(deployed(name, None, "evidence")))
    if store is None:
        raise UsageError(
            f"environment {name} has no object store",
            hint="leave --environment out to check the chain and its signature alone",
        )
    return store


def _verify_table(found: Checked) -> RenderableType:
    signature, anchor = found.signature, found.anchor
    signed = f"{signature.state}, up to line {signature.index}, {signature.signer}"
    compared = f"{anchor.state}, up to line {anchor.index}, {anchor.where}"
    shown = Table("", Column(overflow="fold"), show_header=False, box=None, pad_edge=False)
    shown.add_row("log", Text(found.log))
    shown.add_row("lines", str(found.lines))
    shown.add_row("verdict", Text(found.verdict, _STYLES[found.verdict]))
    shown.add_row("signature", Text(signed if signature.index is not None else signature.detail))
    shown.add_row("anchor", Text(compared if anchor.index is not None else anchor.detail))
    findings = [Text(f"{finding.kind}: {finding.detail}", "red") for finding in found.findings]
    notes = [Text(f"note: {note}", "yellow") for note in found.notes]
    return Group(shown, *findings, *notes)
