"""Taking away what is past its time: each by itself, under its lock, and nothing else."""

from __future__ import annotations

from datetime import datetime

from opsctl import evidence
from opsctl.deploy import refusals
from opsctl.deploy.lock import held
from opsctl.deploy.means import Means
from opsctl.deploy.progress import Progress
from opsctl.ephemeral.finding import Found, folder_of, look, take_over
from opsctl.ephemeral.outcome import Reaped, Reaping
from opsctl.ephemeral.removing import remove
from opsctl.errors import Locked, OpsctlError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.ephemeral import Ephemeral, shown
from opsctl.targets import end_orphan, find_backend


def reap(means: Means, progress: Progress, now: datetime, *, dry_run: bool = False) -> Reaping:
    """Take away every ephemeral environment whose time is over; return what was found and done.

    What fails keeps nothing from the others. Two at the same time do no harm: one has the
    lock, the other finds it held or nothing left.
    """
    found = look()
    every = (*found.found, *found.orphans)
    done = tuple(_judged(one, means, progress, now, dry_run=dry_run) for one in every)
    return Reaping(at=now, dry_run=dry_run, environments=done, unreachable=found.unreachable)


def down(name: str, means: Means, progress: Progress) -> Reaped | None:
    """Take one ephemeral environment away, over or not; None where there is none of that name."""
    found = next((one for one in look().found if one.environment.name == name), None)
    if found is None:
        return None
    return _removed(found, means, progress, why="env down")


def make_room(wanted: Environment, means: Means, progress: Progress, now: datetime) -> None:
    """Take away what bears a name and is past its time; refuse the name of what is not.

    Raises:
        UsageError: the name is taken; says by whom and until when.
    """
    for one in look().found:
        standing = one.environment
        if standing.name == wanted.name and standing.ephemeral.over(now):
            progress.say(f"{standing.name} was {standing.ephemeral}: taking it away first")
            done = _removed(one, means, progress, why=_over(standing.ephemeral))
            if done.verdict != "removed":
                raise OpsctlError(
                    f"the name {wanted.name} is taken by what is past its time, and that could "
                    f"not be taken away: {done.detail}",
                    hint="choose another name; opsctl env reap tries again",
                )
        elif standing.name == wanted.name:
            refusals.another(wanted, standing)


def _judged(
    found: Found, means: Means, progress: Progress, now: datetime, *, dry_run: bool
) -> Reaped:
    of = found.environment.ephemeral
    if not of.over(now):
        return _answer(found, "kept", f"its time is over at {shown(of.until or now)}")
    if dry_run:
        return _answer(found, "would remove", _over(of))
    return _removed(found, means, progress, why=_over(of))


def _removed(found: Found, means: Means, progress: Progress, *, why: str) -> Reaped:
    name = found.environment.name
    progress.say(f"{name} {found.environment.ephemeral}: {why}")
    try:
        run = _remove(found, means, progress, why)
    except Locked as busy:
        return _answer(found, "held", busy.message)
    except (OpsctlError, OSError) as fault:
        return _answer(found, "failed", str(fault))
    return _answer(found, "removed", why, run=run)


def _remove(found: Found, means: Means, progress: Progress, why: str) -> str | None:
    environment = found.environment
    name = environment.name
    if found.orphan is not None:
        with evidence.recorded(
            command="env reap", environment=name, identity=found.identity, arguments={"why": why}
        ) as run:
            end_orphan(found.orphan)
        return run.id
    hosted = environment.infrastructure == "none"
    if hosted and environment.target is TargetName.DOCKER and not folder_of(name).is_dir():
        take_over(name)
        if not folder_of(name).is_dir():
            # Killed before anything of it had an identity: the lock's end removes what holds it.
            with held(name, f"opsctl env reap {name}", find_backend(name)):
                return None
    return remove(environment, means, progress, why=why)


def _over(of: Ephemeral) -> str:
    return f"its time was over at {shown(of.until)}" if of.until else ""


def _answer(found: Found, verdict: str, detail: str, *, run: str | None = None) -> Reaped:
    of = found.environment.ephemeral
    return Reaped.model_validate(
        {
            "environment": found.environment.name,
            "identity": found.identity,
            "owner": of.owner,
            "expires": of.expires,
            "where": found.where,
            "verdict": verdict,
            "detail": detail,
            "run": run,
        }
    )
