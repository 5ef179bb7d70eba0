"""Healing: each kind of what was left has one healer, and what was done is in the evidence.

Nothing here stops the command that found it: an environment whose journal is down is
deployed all the same, and what could not be healed is said and left to the next command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opsctl import evidence
from opsctl.deploy import identity
from opsctl.deploy.lock import held
from opsctl.errors import Locked, OpsctlError
from opsctl.evidence import runs
from opsctl.model.environment import Environment
from opsctl.state import environment_folder
from opsctl.targets import open_backend
from opsctl.targets.base import Target
from opsctl.unfinished.left import Left, look

OpenTarget = Callable[[Environment], Target]
Say = Callable[[str], None]

PATIENCE_S = 2.0
"""How long the journal may take to say whether a request was left in it."""


def heal(environment: Environment, open_target: OpenTarget, say: Say, *, command: str) -> bool:
    """Heal what killed commands left in an environment; return whether anything was left.

    `command` is the one that found it and will go on afterwards; `say` hears of everything.
    """
    name = environment.name
    if not environment_folder(name).is_dir():
        return False
    left = look(name)
    journaled = bool(_journaled(environment, open_target, remove=False))
    mine = [one for one in left if one.kind != "change"]
    for one in left:
        say(f"unfinished: {one.what} (run {one.run})")
        if one.kind == "change" and command not in ("deploy", "rollback", "env rotate", "destroy"):
            say(f"  {one.heals}")
    if not mine and not journaled:
        return bool(left)
    try:
        backend = open_backend(environment)
        with held(name, f"opsctl {command} {name} (healing)", backend):
            _healed(environment, open_target, say, command, mine, journaled=journaled)
    except Locked as busy:
        say(f"left to the next command: {busy.message}")
    return True


def _healed(
    environment: Environment,
    open_target: OpenTarget,
    say: Say,
    command: str,
    left: list[Left],
    *,
    journaled: bool,
) -> None:
    """Do it, recorded: that the runs were interrupted is written as the record begins."""
    name = environment.name
    done: list[str] = []
    with evidence.recorded(
        command="heal",
        environment=name,
        identity=identity.known(name),
        arguments={"before": command},
    ) as run:
        if any(one.kind == "faults" for one in left):
            done += _lift(environment, open_target, say)
        if journaled:
            for removed in _journaled(environment, open_target, remove=True):
                say(f"healed: {removed}")
                done.append(removed)
        for one in left:
            say(f"healed: the evidence says that run {one.run} was interrupted")
        run.result = {"healed": done, "runs": sorted({one.run for one in left})}


def _lift(environment: Environment, open_target: OpenTarget, say: Say) -> list[str]:
    from opsctl.drills import lift

    lifted = lift(environment, open_target, say)
    return [lifted] if lifted else []


def _journaled(environment: Environment, open_target: OpenTarget, *, remove: bool) -> list[str]:
    """Return what was left in the journal, or with `remove` what was removed from it.

    A handover request that nobody waits for any more, and the record of an update that is over.
    """
    from apps.core.etcd import EtcdError
    from opsctl import recovery
    from opsctl.deploy import update
    from opsctl.health.journal import answering

    if len(environment.trading_sites) < 2:
        return []
    try:
        target = open_target(environment)
        journal = answering(environment, target.services(), target.host)
    except OpsctlError:  # no such target on this machine: the command itself will say so
        return []
    if journal is None:
        return []

    async def ask() -> list[str]:
        async with journal:
            request = recovery.heal if remove else recovery.left
            record = update.remove if remove else update.left
            found = (
                await request(journal, ended=runs.ended, patience_s=PATIENCE_S),
                await record(journal, environment.name, patience_s=PATIENCE_S),
            )
            return [one for one in found if one]

    try:
        return asyncio.run(ask())
    except EtcdError:
        return []
