"""`opsctl drill`: break an environment on purpose, and measure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, YesOption, emit, progress
from opsctl.cli.drill_check import check
from opsctl.cli.drill_report import report
from opsctl.cli.drill_schedule import schedule
from opsctl.cli.drill_show import show
from opsctl.cli.drill_simulate import simulate
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.errors import OpsctlError, UsageError

if TYPE_CHECKING:
    from opsctl.drills import Drilled, Scenarios, Series

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Break an environment on purpose, and measure how it goes on.",
    epilog="Example: [bold]opsctl drill run leader-kill intraday[/bold]",
)

app.command(
    "simulate", epilog="Example: [bold]opsctl drill simulate --seeds 10000 --from 1[/bold]"
)(simulate)
app.command("check", epilog="Example: [bold]opsctl drill check site/scenarios/mine.yaml[/bold]")(
    check
)

app.command(
    "schedule", epilog="Example: [bold]opsctl drill schedule intraday --output systemd[/bold]"
)(schedule)

app.command(
    "show",
    epilog="Example: [bold]opsctl drill show 20261123T210456123Z-3f9a1c --order drill1a-7-0[/bold]",
)(show)
app.command("report", epilog="Example: [bold]opsctl drill report --period 12m intraday[/bold]")(
    report
)

MISSED, STOPPED = 3, 130
_STYLES = {"passed": "green", "failed": "red"}


@app.command("list", epilog="Example: [bold]opsctl drill list[/bold]")
def list_scenarios(output: OutputOption = Output.TABLE) -> None:
    """List the scenarios: those that are shipped, and those of `site/scenarios/`."""
    from opsctl.drills import Scenarios, load, names
    from opsctl.drills.outcome import Listed

    found = Scenarios(
        scenarios=tuple(
            Listed(
                name=each.name,
                title=each.title,
                goal_ms=each.goal.rto_ms,
                parameters=each.parameters,
                faults=tuple(fault.kind for fault in each.faults),
            )
            for each in map(load, names())
        )
    )
    emit(found, output, lambda: _list_table(found))


@app.command(
    "run", epilog="Example: [bold]opsctl drill run leader-kill intraday --repeat 20[/bold]"
)
def run(
    scenario: Annotated[str, typer.Argument(help="A scenario of `opsctl drill list`.")],
    environment: Annotated[str, typer.Argument(help="The environment, as deployed.")],
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=10_000, help="How many times.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", min=2, max=5_000, help="Orders a second meanwhile; the scenario's by default."
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--load",
            metavar="NAME=VALUE",
            help="Replace a value of the scenario's load: burst_orders=100. May be repeated.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace a parameter. May be repeated."),
    ] = None,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a drill: break, measure from outside, mend, compare every account, report.

    A client of its own keeps orders coming meanwhile. Whatever happens, the fault is
    lifted and the steady state waited for; should opsctl be killed, the next command lifts
    it. Exits 0 when every run passed, 3 when an objective was missed, anything was lost,
    doubled or not reconciled, or the drill could not begin (blocked).
    """
    from opsctl.cli.selection import deployed
    from opsctl.drills import drill, load
    from opsctl.drills.shape import changed
    from opsctl.evidence.runs import who
    from opsctl.recovery import failover
    from opsctl.targets import open_target

    chosen = load(scenario, _parameters(settings or ()))
    given = dict(_pair("--load", word) for word in shape or ())
    if rate is not None:
        given["rate_per_s"] = str(rate)
    chosen = chosen.model_copy(update={"load": changed(chosen.load, given)})
    found = deployed(environment, None, "drill")
    guard_live("drill", found, live=live, yes=yes)
    target = open_target(found)

    def move(to: str, *, emergency: bool = False) -> None:
        moved = failover(
            found,
            target,
            to=to,
            mode="emergency" if emergency else "planned",
            by=f"drill by {who()}",
            show=lambda _: None,
            say=lambda _: None,
        )
        if moved.verdict != "done":
            why = [moved.detail, *(refusal.reason for refusal in moved.refusals)]
            raise OpsctlError(f"{to} does not lead: {'; '.join(filter(None, why))}")

    series = drill(found, target, chosen, repeat=repeat, say=_say, move=move)
    shown = series if repeat > 1 else series.runs[0]
    emit(shown, output, lambda: _shown(series))
    if series.verdict == "interrupted":
        raise typer.Exit(STOPPED)
    if series.verdict != "passed":
        raise typer.Exit(MISSED)


def _say(text: str) -> None:
    progress.print(text, markup=False, highlight=False, soft_wrap=True)


def _parameters(settings: Iterable[str]) -> dict[str, bool | float]:
    found: dict[str, bool | float] = {}
    words = {"true": True, "false": False}
    for setting in settings:
        name, value = _pair("--set", setting)
        try:
            found[name] = words[value] if value in words else float(value)
        except ValueError:
            raise _no_pair("--set", setting) from None
    return found


def _pair(option: str, setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    if not name or not value:
        raise _no_pair(option, setting)
    return name, value


def _no_pair(option: str, setting: str) -> UsageError:
    return UsageError(
        f"{option} {setting} is no NAME=VALUE", hint="a number, true or false: hold_s=2"
    )


def _list_table(found: Scenarios) -> Table:
    table = Table("scenario", "what it does", "goal", "parameters")
    for each in found.scenarios:
        parameters = ", ".join(f"{name}={value}" for name, value in each.parameters.items())
        table.add_row(each.name, each.title, f"{each.goal_ms:g} ms", parameters)
    return table


def _shown(series: Series) -> RenderableType:
    if len(series.runs) == 1:
        return _one(series.runs[0])
    table = Table("run", "verdict", "RTO", "detection", "lost", "doubled", "reconciled")
    for each in series.runs:
        measured = each.measured
        table.add_row(
            each.id,
            Text(each.verdict, _STYLES.get(each.verdict, "yellow")),
            _ms(measured.rto_ms),
            _ms(measured.detection_ms),
            str(measured.orders_lost),
            str(measured.orders_duplicated),
            _reconciled(each),
        )
    found = series.summary
    said = (
        f"{series.scenario} on {series.environment}: {found.passed} of {found.runs} passed; RTO "
        f"p50 {_ms(found.p50_ms)}, p99 {_ms(found.p99_ms)}, max {_ms(found.max_ms)}; "
        f"{found.orders_acknowledged} orders, {found.orders_lost} lost, "
        f"{found.orders_duplicated} doubled"
    )
    findings = [Text(f"{r.id}: {f}", "yellow") for r in series.runs for f in r.findings]
    return Group(table, *findings, Text(said, f"bold {_STYLES.get(series.verdict, 'yellow')}"))


def _one(found: Drilled) -> RenderableType:
    measured = found.measured
    rto = f"{_ms(measured.rto_ms)} (goal {found.goal.rto_ms:g} ms, objective "
    orders = f"{measured.orders_acknowledged} acknowledged, {measured.orders_lost} lost, "
    table = Table(show_header=False)
    for name, text in (
        ("RTO", f"{rto}{found.objective.rto_s:g} s)"),
        ("detection", _ms(measured.detection_ms)),
        ("takeover", _ms(measured.takeover_ms)),
        ("orders", f"{orders}{measured.orders_duplicated} doubled"),
        ("accounts", _reconciled(found)),
        ("failure domains", found.failure_domains),
        ("report", found.report),
    ):
        table.add_row(name, Text(text, overflow="fold"))
    findings = [Text(finding, "yellow") for finding in found.findings]
    said = f"{found.scenario} on {found.environment}: {found.verdict}"
    return Group(table, *findings, Text(said, f"bold {_STYLES.get(found.verdict, 'yellow')}"))


def _reconciled(found: Drilled) -> str:
    if found.reconciliation is None:
        return "not compared"
    return "agree" if found.reconciliation.clean else "do not agree"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
