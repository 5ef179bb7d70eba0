"""Which environment a command acts on: as its file says, or as it stands deployed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from opsctl.errors import UsageError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.tiers import DrTier, LatencyTier

if TYPE_CHECKING:
    from opsctl.environments import Loaded

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override a value of the file: `--set trading:replay.day_s=0`. May be repeated.",
        metavar="KEY=VALUE",
    ),
]
TargetOption = Annotated[
    TargetName | None, typer.Option("--target", help="Override what runs the services.")
]
DrOption = Annotated[
    DrTier | None, typer.Option("--dr", help="Override the disaster-recovery tier.")
]
AllowUnmetOption = Annotated[
    bool, typer.Option("--allow-unmet", help="Go on where the tier cannot be met; verdicts say so.")
]
AtOnceOption = Annotated[
    bool,
    typer.Option(
        "--at-once",
        help="Change both sites together, though trading stops: where one cannot take over.",
    ),
]


READS = frozenset({"status", "health", "plan", "env show", "evidence", "drill schedule"})
"""Commands that only look at an environment: they heal nothing, and say what is unfinished."""
AT_ONCE = frozenset({"halt"})
"""Commands that neither heal nor look."""


def flags(
    settings: Sequence[str] | None,
    target: TargetName | None,
    dr: DrTier | None,
    allow_unmet: bool,
) -> dict[str, str]:
    """Return the options that override a file, by field.

    Raises:
        UsageError: a `--set` is no KEY=VALUE.
    """
    found: dict[str, str] = {}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        field = key.strip().removeprefix("trading:")
        if not equals or not field:
            raise UsageError(
                f"--set {setting} is no KEY=VALUE", hint="such as --set trading:replay.day_s=0"
            )
        found[field] = value.strip()
    if target is not None:
        found["target"] = target.value
    if dr is not None:
        found["dr"] = dr.value
    if allow_unmet:
        found["allow_unmet"] = "true"
    return found


def wanted(name: str | None, tier: LatencyTier | None, overrides: dict[str, str]) -> Environment:
    """Return an environment as its file and the options say."""
    from opsctl.environments import find, load

    found = load(find(name, tier), overrides).environment
    _refresh(found.name, found)
    return found


def declaring(
    name: str | None, tier: LatencyTier | None, overrides: dict[str, str]
) -> Loaded | None:
    """Return an environment that declares infrastructure, as its file and the options say.

    None: it declares none.
    """
    from opsctl.environments import find, load

    found = load(find(name, tier), overrides)
    return None if found.environment.infrastructure == "none" else found


def declared_or_none(name: str | None, tier: LatencyTier | None) -> Environment | None:
    """Return an environment that declares infrastructure; None where no sound file says so.

    What stands on this machine must be removable though its file is gone or broken.

    Raises:
        UsageError: it has infrastructure in a cloud that no sound file declares any more.
    """
    from opsctl.infra.workspace import Workspace

    try:
        found = declaring(name, tier, {})
    except UsageError:
        found = None
    if found is not None:
        return found.environment
    if name is not None and _fits(name) and Workspace(environment=name).settings.exists():
        raise UsageError(
            f"{name} has infrastructure in a cloud, and no sound file declares it any more",
            hint=f"put trading:infrastructure back into Pulumi.{name}.yaml, then destroy it",
        )
    return None


def in_cloud(name: str | None, tier: LatencyTier | None) -> Environment | None:
    """Return an environment of which a cloud runs parts, as it stands or as its file says.

    None: there are no such parts, or nobody can say. No host of it is asked.
    """
    from opsctl.deploy import records

    found = records.environment(name) if name is not None and _fits(name) else None
    if found is None:
        try:
            found = declared_or_none(name, tier)
        except UsageError:
            return None
    return found if found is not None and found.infrastructure == "aws" else None


def standing(name: str | None, tier: LatencyTier | None) -> Environment | None:
    """Return an environment as it stands; None where it is not deployed.

    A deployed environment needs no file: one that was removed or broken since must not
    keep anybody from halting or destroying.
    """
    from opsctl.deploy import records
    from opsctl.environments import find

    if name is not None and tier is None and _fits(name):
        _refresh(name)
        if (found := records.environment(name)) is not None:
            return found
    chosen = find(name, tier)
    if chosen != name:
        _refresh(chosen)
    return records.environment(chosen)


def _refresh(name: str, environment: Environment | None = None) -> None:
    """Take over what another machine has done to an environment that lives elsewhere.

    `environment` is as its file says. What this machine knows nothing of is looked for in its
    Docker Engine, where there is one: it may have been deployed from elsewhere.
    """
    from opsctl import custody
    from opsctl.deploy import lock, records
    from opsctl.errors import OpsctlError
    from opsctl.targets import find_backend, open_backend

    likely = records.environment(name) or environment
    if likely is not None:
        backend = open_backend(likely)
    elif _engine_here():
        try:
            backend = find_backend(name)
        except OpsctlError:  # nobody said that it is in an engine
            return
    else:
        return
    if backend is not None:
        custody.refresh(name, backend, lock.idle(name))


def left_over(name: str | None) -> Environment | None:
    """Return an environment of which things are left in an engine, and no state; else None.

    It is known by its name alone, and can be destroyed.
    """
    from opsctl import custody
    from opsctl.deploy import records
    from opsctl.model.tiers import DrTier

    if name is None or not _fits(name) or not custody.is_copy(name) or records.environment(name):
        return None
    return Environment(name=name, tier=LatencyTier.WEEKLY, dr=DrTier.COLD, target=TargetName.DOCKER)


def standing_or_left(name: str | None, tier: LatencyTier | None) -> Environment | None:
    """Return an environment as it stands, or what is left of it; None where there is nothing.

    What is left needs no file either.
    """
    try:
        return standing(name, tier) or left_over(name)
    except UsageError:
        if (found := left_over(name)) is None:
            raise
        return found


def _engine_here() -> bool:
    """Return whether an engine is named, or has its socket on this machine."""
    import os
    from pathlib import Path

    return bool(os.environ.get("DOCKER_HOST")) or Path("/var/run/docker.sock").is_socket()


def deployed(name: str | None, tier: LatencyTier | None, command: str) -> Environment:
    """Return an environment as it stands, for a command.

    What killed commands left in it is healed first; what only reads says that it is there.
    What must act at once (the kill switch) does neither.

    Raises:
        UsageError: it is not deployed.
    """
    unknown: UsageError | None = None
    try:
        found = standing(name, tier)
    except UsageError as fault:
        found, unknown = None, fault
    if found is None and left_over(name) is not None:
        raise UsageError(
            f"{name} is not deployed, but something of it is in the engine",
            hint=f"opsctl env list shows what, opsctl destroy {name} removes it; or deploy it: "
            "data that was kept is taken up again",
        )
    if found is None:
        shown = name or f"--tier {tier}"
        raise unknown or UsageError(
            f"{name or tier} is not deployed", hint=f"opsctl deploy {shown}"
        )
    if command in READS:
        tell(found.name)
    elif command not in AT_ONCE:
        mend(found, command)
    return found


def mend(environment: Environment, command: str) -> None:
    """Heal what killed commands left in an environment, before a command changes it."""
    from opsctl.targets import open_target
    from opsctl.unfinished import heal

    heal(environment, open_target, _say, command=command)


def tell(name: str) -> None:
    """Say what killed commands left in an environment, and what heals it."""
    from opsctl.unfinished import look

    for left in look(name):
        _say(f"unfinished: {left.what} (run {left.run})")
        _say(f"  healed by: {left.heals}")


def _say(text: str) -> None:
    from opsctl.cli.common import progress

    progress.print(text, markup=False, highlight=False, soft_wrap=True)


def _fits(name: str) -> bool:
    """Return whether a word can name an environment, and so a folder of its state."""
    import re

    return re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name) is not None
