"""`opsctl deploy`: bring an environment up."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from opsctl.cli import infrastructure
from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, YesOption, emit
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.cli.infrastructure import MaxDeletionsOption, OverwriteDriftOption, ReplaceDataOption
from opsctl.cli.selection import (
    AllowUnmetOption,
    AtOnceOption,
    DrOption,
    SetOption,
    TargetOption,
    declaring,
    flags,
    mend,
    wanted,
)
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.deploy.outcome import Deployed, Taken
    from opsctl.health.verify import Verification

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


class Part(StrEnum):
    """A part of a deployment that can be made by itself."""

    INFRASTRUCTURE = "infrastructure"


OnlyOption = Annotated[
    Part | None, typer.Option("--only", help="Make this part and no other: the hosts in a cloud.")
]
NoProvisionOption = Annotated[
    bool, typer.Option("--no-provision", help="Leave the hosts in a cloud as they are.")
]
AcceptHostKeysOption = Annotated[
    bool,
    typer.Option("--accept-host-keys", help="Take the keys of hosts in a cloud that are new."),
]
RebootOption = Annotated[
    bool,
    typer.Option(
        "--reboot", help="Provision hosts in a cloud that trade already, one after the other."
    ),
]
NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Do not measure the tier after the change.")
]


@app.command(epilog="Example: [bold]opsctl deploy --tier daily[/bold]")
def deploy(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    settings: SetOption = None,
    target: TargetOption = None,
    dr: DrOption = None,
    allow_unmet: AllowUnmetOption = False,
    at_once: AtOnceOption = False,
    no_verify: NoVerifyOption = False,
    only: OnlyOption = None,
    no_provision: NoProvisionOption = False,
    accept_host_keys: AcceptHostKeysOption = False,
    reboot: RebootOption = False,
    replace_data: ReplaceDataOption = None,
    max_deletions: MaxDeletionsOption = None,
    overwrite_drift: OverwriteDriftOption = False,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring an environment up, wait for health, verify, leave evidence.

    Applies only the difference to what runs. Where a service fails, what ran before runs
    again, and the end of its log is shown. Killed or stopped, the next deploy continues.
    Where two sites trade it changes the one that follows, hands the order path over, and
    changes the other: trading stops no longer than for a planned handover.
    """
    from opsctl.cli.progress import Shown
    from opsctl.deploy import records
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline

    overrides = flags(settings, target, dr, allow_unmet)
    declares = declaring(environment, tier, overrides)
    of_hosts = no_provision or accept_host_keys or reboot
    changed = bool(replace_data) or overwrite_drift or max_deletions is not None
    if declares is not None:
        from opsctl.infra import whole
        from opsctl.infra.applying import Asked

        standing = records.environment(declares.environment.name)
        guard_live("deploy", declares.environment, standing, live=live, yes=yes)
        made = Asked(replace_data or (), overwrite_drift, max_deletions)
        if only is not None:
            infrastructure.deploy(declares.environment, made, output)
            return
        asked = whole.Asked(
            infrastructure=made,
            accept_host_keys=accept_host_keys,
            provision=not no_provision,
            reboot=reboot,
            verify=not no_verify,
            at_once=at_once,
            overrides=overrides,
        )
        infrastructure.deploy_whole(declares.environment, asked, output)
        return
    if only is not None or changed or of_hosts:
        raise UsageError(
            "--only, --replace-data, --max-deletions, --overwrite-drift, --no-provision, "
            "--accept-host-keys and --reboot are of infrastructure, and this environment "
            "declares none",
            hint="trading:infrastructure in its file names one",
        )
    found = wanted(environment, tier, overrides)
    guard_live("deploy", found, records.environment(found.name), live=live, yes=yes)
    mend(found, "deploy")
    result = Pipeline(means(), Shown()).deploy(
        found,
        arguments={**overrides, "verify": not no_verify, "at_once": at_once},
        verify=not no_verify,
        at_once=at_once,
    )
    show(result, output)


def show(result: Deployed, output: Output) -> None:
    """Show what a deploy or a rollback did; exit 3 where the tier is missed."""
    emit(result, output, lambda: Group(table(result), *_next_steps(result.environment)))
    if result.verification is not None and result.verification.verdict != "passed":
        raise typer.Exit(3)


def table(result: Deployed) -> Table:
    """Return what a deploy or a rollback did, for a reader."""
    shown = Table(show_header=False)
    shown.add_row("environment", result.environment)
    shown.add_row("run", result.run)
    if result.restores:
        shown.add_row("restores", result.restores)
    changes = ", ".join(f"{c.action.value} {c.name}" for c in result.changes)
    shown.add_row("changes", changes or "none")
    if len(result.steps) > 1:
        shown.add_row("steps", Text("\n".join(map(_step, result.steps))))
    shown.add_row("services", f"{result.services} healthy")
    if result.rehearsal:
        shown.add_row("rehearsal", Text(result.rehearsal, "yellow"))
    if result.verification is not None:
        shown.add_row("verify", Text("\n".join(_findings(result.verification))))
    shown.add_row("took", f"{result.duration_s:.1f} s")
    return shown


def _step(taken: Taken) -> str:
    what = " ".join(part for part in (taken.kind, taken.site) if part)
    if taken.handover_ms is not None:
        return f"{what}: {taken.handover_ms:.1f} ms"
    return f"{what}: {', '.join(taken.services)} ({taken.duration_s:.1f} s)"


def _findings(found: Verification) -> list[str]:
    """Return the verdict with its figures, then every check that failed."""
    from opsctl.health.latency import in_words

    whole = found.latency
    figures = {"p50": whole.p50_us, "p99": whole.p99_us, "max": whole.max_us}
    said = ", ".join(f"{name} {in_words(us)}" for name, us in figures.items() if us is not None)
    head = f"{found.verdict}: tick to order {said or 'not measured'}"
    budget = f"budget {in_words(whole.budget_us)}, {whole.samples} probes"
    failed = [f"{c.name}: {c.detail}" for c in found.checks if c.verdict == "failed"]
    return [f"{head} ({budget})", *failed]


def _next_steps(name: str) -> list[Text]:
    steps = {
        f"opsctl open {name}": "the dashboard",
        f"opsctl verify {name}": "what was promised, measured at length",
        f"opsctl logs {name} --follow": "what the services say",
    }
    width = max(map(len, steps))
    return [Text("next:"), *(Text(f"  {step:<{width}}  {what}") for step, what in steps.items())]
