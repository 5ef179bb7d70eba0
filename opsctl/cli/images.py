"""`opsctl images`: the images of the apps and servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from opsctl.cli.common import (
    EnvironmentArgument,
    Output,
    OutputOption,
    TierOption,
    emit,
    report,
    say,
)

if TYPE_CHECKING:
    from opsctl.model.environment import Environment
    from opsctl.model.tiers import LatencyTier

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="The images of apps and servers: list, build, push, scan, save, load.",
    epilog="Example: [bold]opsctl images build[/bold]",
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Images by name; all where none is named.", metavar="NAME"),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="The Docker Engine: unix:///path, tcp://host:port or ssh://user@host; "
        "by default $DOCKER_HOST, else this machine's.",
        metavar="ADDRESS",
    ),
]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", help="As this environment has them.")
]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="How many at once; else one a processor.")
]

_STYLES = {"present": "green", "built": "green", "clean": "green", "absent": "red"}
_MB = 1_000_000


@app.command("list", epilog="Example: [bold]opsctl images list daily[/bold]")
def list_images(
    name: EnvironmentArgument = None,
    tier: TierOption = None,
    engine: EngineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the images: where each comes from, what runs in it, whether the engine holds it."""
    from opsctl.images import listing

    found = listing.listed(_environment(name, tier), engine=engine)

    def table() -> Table:
        reference = Column("reference", overflow="fold")
        shown = Table("image", "services", "origin", reference, "size", "state")
        for image in found.images:
            size = "" if image.bytes is None else f"{image.bytes / _MB:.0f} MB"
            style = _STYLES.get(image.state, "yellow")
            origin = image.origin + (f", on {image.base}" if image.base else "")
            state = f"[{style}]{image.state}[/{style}]"
            services = ", ".join(image.services)
            shown.add_row(image.name, services, origin, image.reference, size, state)
        return shown

    emit(found, output, table)
    if found.note:
        say(f"not looked at: {found.note}")


@app.command("build", epilog="Example: [bold]opsctl images build execution strategy[/bold]")
def build(
    names: NamesArgument = None,
    environment: EnvironmentOption = None,
    jobs: JobsOption = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Make the base anew, of the distribution's newest packages."),
    ] = False,
    engine: EngineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make images of this commit and put them into the engine; what is there stays."""
    from opsctl.images import building

    base = chosen.images.base if (chosen := _environment(environment, None)) else ""
    built = building.build(
        names or (), report, engine=engine, jobs=jobs, fresh=fresh, official_base=base
    )

    def table() -> Table:
        bills = {image.sbom.parent for image in built.images}
        caption = f"bills of materials: {', '.join(map(str, bills))}"
        reference = Column("reference", overflow="fold")
        shown = Table("image", reference, "id", "above base", "outcome", caption=caption)
        for image in built.images:
            style = _STYLES.get(image.outcome, "dim")
            outcome = f"[{style}]{image.outcome}[/{style}]"
            above = f"{image.above_base_bytes / _MB:.1f} MB"
            short = image.id.removeprefix("sha256:")[:12]
            shown.add_row(image.name, image.reference, short, above, outcome)
        return shown

    emit(built, output, table)


@app.command("push", epilog="Example: [bold]opsctl images push --environment daily[/bold]")
def push(
    names: NamesArgument = None,
    environment: EnvironmentOption = None,
    registry: Annotated[
        str | None,
        typer.Option(help="Registry and path; else the environment's trading:images.registry."),
    ] = None,
    jobs: JobsOption = None,
    engine: EngineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Push images to a registry, and print the digests by which hosts pull them."""
    from opsctl.images import pushing

    chosen = _environment(environment, None)
    where = registry or (chosen.images.registry if chosen else "")
    pushed = pushing.push(names or (), where, report, engine=engine, jobs=jobs or 2)

    def table() -> Table:
        shown = Table("image", Column("reference", overflow="fold"), title=pushed.registry)
        for image in pushed.images:
            shown.add_row(image.name, image.reference)
        return shown

    emit(pushed, output, table)


@app.command("scan", epilog="Example: [bold]opsctl images scan --output json[/bold]")
def scan(
    names: NamesArgument = None,
    debian_data: Annotated[
        Path | None,
        typer.Option(help="A copy of Debian's security data (JSON), where it is out of reach."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Look for known vulnerabilities; exit 3 where there are some, 1 where it could not look."""
    from opsctl.images import scanning

    found = scanning.scan(names or (), report, debian_data=debian_data)

    def table() -> Table:
        where = Column("images", overflow="fold")
        verdict = f"verdict: {found.verdict}"
        shown = Table("package", "version", "vulnerability", "fixed in", where, caption=verdict)
        for flaw in found.findings:
            shown.add_row(
                flaw.package,
                flaw.version,
                flaw.id,
                ", ".join(flaw.fixed_in) or "nowhere yet",
                ", ".join(flaw.images),
            )
        return shown

    emit(found, output, table)
    for one in found.looked:
        said = "looked at" if one.asked else "NOT looked at"
        text = f"{one.source}: {said}, {one.packages} packages{f': {one.why}' if one.why else ''}"
        say(text)
    if found.verdict != "clean":
        raise typer.Exit(3 if found.verdict == "vulnerable" else 1)


@app.command("save", epilog="Example: [bold]opsctl images save images.tar.gz[/bold]")
def save(
    file: Annotated[
        Path, typer.Argument(help="The archive; gzipped where it ends in .gz; - is stdout.")
    ],
    names: NamesArgument = None,
    engine: EngineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write images as an archive, for a host without a registry."""
    from opsctl.images import saving
    from opsctl.images.listing import references

    saved = saving.save(
        file, references(tuple(names or ())), lambda text: report("save", text), engine=engine
    )
    if file == saving.STREAM:  # stdout is the archive; what it is goes beside it
        report("save", f"{saved.bytes} bytes, sha256 {saved.sha256}")
        return

    def table() -> Table:
        shown = Table("image", "id", title=saved.file)
        for image in saved.images:
            shown.add_row(image.reference, image.id.removeprefix("sha256:")[:12])
        shown.add_row("sha256", saved.sha256)
        return shown

    emit(saved, output, table)


@app.command("load", epilog="Example: [bold]opsctl images load images.tar.gz[/bold]")
def load(
    file: Annotated[Path, typer.Argument(help="An archive of `images save`; - is stdin.")],
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="What the save printed; anything else is refused."),
    ] = None,
    engine: EngineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put the images of an archive into an engine."""
    from opsctl.images import saving

    loaded = saving.load(file, engine=engine, sha256=sha256)

    def table() -> Table:
        shown = Table("image", "id", title=loaded.engine)
        for image in loaded.images:
            shown.add_row(image.reference, image.id.removeprefix("sha256:")[:12])
        return shown

    emit(loaded, output, table)


def _environment(name: str | None, tier: LatencyTier | None) -> Environment | None:
    """Return the environment that was named, None where none was."""
    from opsctl.cli.selection import wanted

    return None if name is None and tier is None else wanted(name, tier, {})
