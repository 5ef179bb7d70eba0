"""`opsctl provision`: turn servers into trading servers of their latency tier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.boxes import (
    FORKS,
    AcceptOption,
    BoxTierOption,
    ForksOption,
    HostsArgument,
    InventoryOption,
    LimitOption,
    PasswordOption,
    ProfileOption,
    Shown,
    brief,
    explained,
    reach,
    styled,
)
from opsctl.cli.common import Output, OutputOption, YesOption, emit, progress
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.model.profile.profile import Layout
    from opsctl.provision.applying import Mode
    from opsctl.provision.results import Provisioned, ProvisionedHost

_CMDLINE = "cmdline"

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl provision ny4-1 --check[/bold]")
def provision(
    hosts: HostsArgument = None,
    inventory: InventoryOption = None,
    tier: BoxTierOption = None,
    profile: ProfileOption = None,
    limit: LimitOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Show the differences and change nothing.")
    ] = False,
    reboot: Annotated[
        bool, typer.Option("--reboot", help="Reboot a box where a setting needs it; once.")
    ] = False,
    rollback: Annotated[
        bool,
        typer.Option("--rollback", help="Return a box to what it was before its first change."),
    ] = False,
    drain: Annotated[
        bool,
        typer.Option("--drain", help="Hand the order path over first where it leads from here."),
    ] = False,
    reboot_timeout_s: Annotated[
        int, typer.Option("--reboot-timeout", min=30, help="Seconds until a box must be back.")
    ] = 600,
    forks: ForksOption = FORKS,
    accept_host_keys: AcceptOption = False,
    become_password_file: PasswordOption = None,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Apply the profile of each box's latency tier over SSH, idempotently, and audit it.

    Shows the layout of CPUs and every difference first. What a kernel or a NIC does not have is
    not applicable, with the reason. The state before is kept on the box: --rollback returns to
    it. A box that fails does not stop the others: exit 1 names it; 3 when something was applied
    and does not hold all the same. Killed, the next run continues.
    """
    from opsctl.cli.guards import ask
    from opsctl.provision import applying

    if check and rollback:
        raise UsageError("--check and --rollback are two things", hint="one after the other")
    mode: Mode = "rollback" if rollback else "check" if check else "apply"
    asked = applying.Asked(
        reach=reach(inventory, forks, accept_host_keys, become_password_file),
        names=(*(hosts or ()), *(limit or ())),
        tier=tier,
        profile=profile,
        mode=mode,
        reboot=reboot,
        drain=drain,
        reboot_timeout_s=reboot_timeout_s,
    )
    with Shown() as shown:

        def go(planned: Sequence[ProvisionedHost]) -> None:
            if mode == "check":
                return
            shown.pause()
            progress.print(_plan(planned))
            if question := _question(planned, mode, reboot=reboot):
                ask(question, yes=yes)

        found = applying.provision(asked, shown, go)
    emit(found, output, lambda: _shown(found))
    for one in found.hosts:
        if one.failure is not None:
            explained(one.host, one.failure)
    if code := applying.exit_code(found):
        raise typer.Exit(code)


def _question(planned: Sequence[ProvisionedHost], mode: Mode, *, reboot: bool) -> str:
    """Return what is asked before boxes are changed; empty where nothing is to be changed."""
    if not planned:
        return ""
    names = ", ".join(one.host for one in planned)
    if mode == "rollback":
        return f"Return {names} to the state before the first provisioning?"
    if not any(one.changes for one in planned):
        return ""
    more = " and reboot where needed" if reboot else ""
    return f"Apply this to {names}{more}?"


def _shown(found: Provisioned) -> RenderableType:
    boxes = Table("box", "profile", "outcome", "settings", "tasks", "after", title=Text(found.run))
    for one in found.hosts:
        after = one.after
        boxes.add_row(
            one.host,
            one.profile,
            styled(one.outcome),
            f"{len(one.changes)} differ" + ("" if found.mode == "check" else "ed"),
            f"{len(one.tasks)} changed"
            if found.mode != "check"
            else f"{len(one.tasks)} would change",
            styled(after.verdict) if after else Text(""),
        )
    parts: list[RenderableType] = [boxes]
    if found.mode == "check":
        parts.append(_plan(found.hosts))
        parts.extend(map(_disagreement, found.hosts))
    for one in found.hosts:
        if one.after is not None and one.after.not_holding:
            parts.append(_not_holding(one))
        if one.outcome == "reboot_pending":
            parts.append(Text(f"{one.host} needs a reboot: opsctl provision {one.host} --reboot"))
    return Group(*parts)


def _plan(planned: Sequence[ProvisionedHost]) -> RenderableType:
    parts: list[RenderableType] = []
    for one in planned:
        if one.layout is None:
            continue
        parts.append(Text(f"{one.host}: profile {one.profile}, CPUs {_cpus(one.layout)}"))
        if not one.changes:
            parts.append(Text("  every setting holds already"))
            continue
        shown = Table(
            Column("setting", no_wrap=True),
            Column("got", overflow="fold"),
            Column("want", overflow="fold"),
            "when",
            box=None,
        )
        for change in one.changes:
            when = "after a reboot" if change.boot else "now"
            shown.add_row(Text(change.setting), brief(change.got), brief(change.want), when)
        parts.append(shown)
    return Group(*parts)


def _disagreement(one: ProvisionedHost) -> RenderableType:
    """Say where the playbook's own check and the plan are not of one mind.

    The playbook writes the words of the command line as one, and besides each setting what makes
    it hold after a boot; what is measured nobody writes.
    """
    if one.failure is not None:
        return Text("")
    said = {setting for setting in one.applied if not setting.endswith(" at boot")}
    planned = {c.setting for c in one.changes if not c.setting.startswith("measured.")}
    if _CMDLINE in said:
        planned = {setting for setting in planned if not setting.startswith(f"{_CMDLINE}.")}
    lines = []
    if besides := sorted(said - planned - {_CMDLINE}):
        lines.append(f"{one.host}: the playbook would write besides: {', '.join(besides)}")
    if left := sorted(planned - said):
        lines.append(f"{one.host}: the playbook would not write: {', '.join(left)}")
    if not lines and one.tasks:
        lines.append(f"{one.host}: the playbook's own check says the same")
    return Text("\n".join(lines), "dim")


def _cpus(layout: Layout) -> str:
    from opsctl.model.profile.cpus import listed

    kinds = {
        "housekeeping": layout.housekeeping,
        "interrupts": layout.interrupts,
        "trading": layout.trading,
    }
    return ", ".join(f"{kind} {listed(cpus)}" for kind, cpus in kinds.items())


def _not_holding(one: ProvisionedHost) -> Table:
    shown = Table(
        "setting", "want", "got", "verdict", "why", title=Text(f"{one.host}: what does not hold")
    )
    for f in one.after.not_holding if one.after else ():
        shown.add_row(
            Text(f.setting), brief(f.want), brief(f.got), styled(f.verdict), Text(f.detail)
        )
    return shown
