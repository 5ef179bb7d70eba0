"""`opsctl halt`: the kill switch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit

if TYPE_CHECKING:
    from opsctl.deploy.kill_switch import Switch
    from opsctl.deploy.outcome import SiteStopped, Switched
    from opsctl.model.tiers import LatencyTier

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog='Example: [bold]opsctl halt daily --reason "runaway strategy"[/bold]')
def halt(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept in the journal and the evidence.")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Kill switch: no order leaves from now on.

    Asks nothing, also where the environment is live. Exits 0 only when the order path has
    confirmed that it obeys, and says after how many milliseconds. Where the journal does not
    answer, each site cancels what is open on its own session, and the exit code is 1.
    """
    act("halt", environment, tier, reason, output)


def act(
    to: Switch, environment: str | None, tier: LatencyTier | None, reason: str, output: Output
) -> None:
    """Turn the kill switch and show what came of it; exit 1 where it is not in effect."""
    from opsctl.cli.selection import deployed
    from opsctl.deploy.kill_switch import switch
    from opsctl.evidence.runs import who
    from opsctl.targets import open_target

    found = deployed(environment, tier, to)

    def show(result: Switched) -> None:
        emit(result, output, lambda: Text(sentence(result)))
        sys.stdout.flush()

    target = open_target(found)
    result = switch(to, found, target, by=who(), reason=reason, show=show)
    if not result.effective:
        print(f"  hint: opsctl status {result.environment}", file=sys.stderr)
        raise typer.Exit(1)


UNWRITTEN = (
    "the journal does not answer, so the kill switch is not written. No order leaves without "
    "the journal; each site was asked to cancel, and to write the halt once it can"
)


def _of_site(one: SiteStopped) -> str:
    if not one.answered:
        return f"  {one.site}: did nothing ({one.detail})"
    told = f"  {one.site}: sent {len(one.cancelled)} cancels"
    more = {
        "not sent, its session is down": one.unsent,
        "open on another site's session": one.left,
        "in doubt": one.in_doubt,
    }
    return told + "".join(f"; {len(ids)} {what}" for what, ids in more.items() if ids)


def sentence(result: Switched) -> str:
    """Return what the kill switch did, for a reader."""
    name, after = result.environment, f"after {result.effective_ms:.0f} ms"
    if result.sites:
        return "\n".join((f"{name}: {UNWRITTEN}", *(_of_site(one) for one in result.sites)))
    if result.halted:
        since = f"{result.at:%Y-%m-%dT%H:%M:%SZ} by {result.by}"
        why = f": {result.reason}" if result.reason else ""
        if not result.effective:
            return (
                f"{name}: the halt is in the journal, where nothing more can be appended, but "
                "no execution app has confirmed it"
            )
        if not result.changed:
            return f"{name} was halted already, since {since}{why}"
        return f"{name} is halted: no order leaves, confirmed {after}{why}"
    if not result.effective:
        return f"{name}: the halt is gone from the journal, but no execution app has confirmed it"
    if not result.changed:
        return f"{name} was not halted"
    return f"{name} trades again, confirmed {after}"
