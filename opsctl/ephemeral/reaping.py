"""Taking away what is past its time: each by itself, under its lock, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from opsctl import evidence
from opsctl.deploy import refusals
from opsctl.deploy.lock import held
from opsctl.deploy.means import Means
from opsctl.deploy.progress import Progress
from opsctl.ephemeral import clouds
from opsctl.ephemeral.clouds import Stray
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
    strays, unreachable = clouds.look()
    every = (*found.found, *found.orphans, *_unknown(strays, found.found))
    done = tuple(_judged(one, means, progress, now, dry_run=dry_run) for one in every)
    unreachable = (*found.unreachable, *unreachable)
    return Reaping(at=now, dry_run=dry_run, environments=done, unreachable=unreachable)


def down(name: str, means: Means, progress: Progress, now: datetime) -> Reaping:
    """Take what bears a name and ends away, over or not; done where there is nothing.

    Accounts are asked only where this machine knows of none by that name.
    """
    found = tuple(one for one in look().found if one.environment.name == name)
    unreachable: tuple[str, ...] = ()
    if not found:
        strays, unreachable = clouds.look()
        found = tuple(one for one in _unknown(strays, ()) if one.environment.name == name)
    done = tuple(_removed(one, means, progress, why="env down") for one in found)
    return Reaping(at=now, dry_run=False, environments=done, unreachable=unreachable)


def make_room(wanted: Environment, means: Means, progress: Progress, now: datetime) -> None:
    """Take away what bears a name and is past its time; refuse the name of what is not.

    Raises:
        UsageError: the name is taken; says by whom and until when.
        OpsctlError: what bears it is past its time and could not be taken away, or the account
            cannot be asked.
    """
    found = look().found
    if wanted.infrastructure == "aws":
        there = clouds.strays(wanted.aws.account, clouds.regions(wanted))
        found = (*found, *_unknown(there, found))
    for one in found:
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
    clouds.refuse_stack(wanted)


def _unknown(strays: Iterable[Stray], found: Collection[Found]) -> Iterator[Found]:
    """Yield what tags tell of and this machine has no note of."""
    here = {(one.environment.name, one.environment.ephemeral.expires) for one in found}
    for stray in strays:
        of = stray.environment
        if (of.name, of.ephemeral.expires) not in here:
            where = f"account {of.aws.account}"
            yield Found(environment=of, identity="", where=where, resources=stray.resources)


def _judged(
    found: Found, means: Means, progress: Progress, now: datetime, *, dry_run: bool
) -> Reaped:
    of = found.environment.ephemeral
    if not of.over(now):
        return _answer(found, "kept", f"its time is over at {shown(of.until or now)}")
    if dry_run and not _lost(found):
        return _answer(found, "would remove", _over(of))
    return _removed(found, means, progress, why=_over(of))


def _removed(found: Found, means: Means, progress: Progress, *, why: str) -> Reaped:
    name = found.environment.name
    if _lost(found):
        return _answer(
            found,
            "left",
            f"{why}: {len(found.resources)} resources bear its tags, and its state is on the "
            "machine that made it, or gone. Run opsctl env reap there; else delete them by hand: "
            "aws resourcegroupstaggingapi get-resources --tag-filters "
            f"Key=environment,Values={name} Key=ephemeral,Values=true",
        )
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


def _lost(found: Found) -> bool:
    """Return whether nobody here can destroy it, as its state is nowhere to be found."""
    return bool(found.resources) and not found.environment.aws.state.backend


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
            "resources": found.resources,
            "run": run,
        }
    )
