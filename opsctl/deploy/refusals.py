"""What a change may not do to an environment that is deployed."""

from __future__ import annotations

from opsctl import __version__
from opsctl.deploy import identity
from opsctl.deploy.change import Wanted
from opsctl.deploy.records import Deployment
from opsctl.errors import UsageError
from opsctl.health.journal import refuse_foreign
from opsctl.model.environment import Environment


def foreign(wanted: Wanted) -> None:
    """Refuse a journal of another environment."""
    name, host = wanted.environment.name, wanted.target.host
    mine = identity.known(name) or host.identity
    refuse_foreign(wanted.environment, wanted.services, host, mine)


def far_release(former: Deployment | None) -> None:
    """Refuse to skip a release: each reads and writes what its predecessor wrote, and no more."""
    from apps.core.terms import adjacent

    if former is not None and not adjacent(former.opsctl, __version__):
        raise UsageError(
            f"{former.environment.name} was deployed by release {former.opsctl}, which is more "
            f"than one from this one ({__version__})",
            hint="deploy it with every minor release in between, one after the other",
        )


def other_target(environment: Environment, former: Deployment | None) -> None:
    """Refuse to move what is deployed to another target."""
    if former is not None and former.environment.target is not environment.target:
        raise UsageError(
            f"{environment.name} is deployed on target {former.environment.target}, "
            f"and cannot move to {environment.target}",
            hint=f"destroy it first (opsctl destroy {environment.name}), or give the new one "
            "another name",
        )


def other_sites(environment: Environment, former: Deployment | None) -> None:
    """Refuse other sites than those that are deployed."""
    # The journal's members were founded together: one more joins no journal that is there.
    if former is not None and former.environment.sites != environment.sites:
        raise UsageError(
            f"{environment.name} is deployed with {_sites(former.environment)} and cannot become "
            f"one of {_sites(environment)}",
            hint=f"destroy it first (opsctl destroy {environment.name}), or give the new one "
            "another name",
        )


def other_books(environment: Environment, former: Deployment | None) -> None:
    """Refuse to leave the books behind, which a projector would begin anew in another place."""
    # What the journal no longer holds is in the books alone.
    if former is not None and bool(former.environment.books) != bool(environment.books):
        its, new = (
            "on a server of others" if each.books else "in its own PostgreSQL"
            for each in (former.environment, environment)
        )
        raise UsageError(
            f"{environment.name} is deployed with its books {its}, and cannot keep them {new}",
            hint=f"destroy it first (opsctl destroy {environment.name}), or give the new one "
            "another name",
        )


def another(environment: Environment, standing: Environment | None) -> None:
    """Refuse to take one environment for another that bears its name, where either one ends."""
    if standing is not None and standing.ephemeral != environment.ephemeral:
        raise UsageError(
            f"the name {environment.name} is taken: an environment {standing.ephemeral}"
            if standing.ephemeral.owner
            else f"the name {environment.name} is taken, by an environment that stays",
            hint=f"choose another name; or take that one away: opsctl destroy {environment.name}",
        )


def _sites(environment: Environment) -> str:
    return f"dr {environment.dr} (sites {', '.join(environment.sites)})"
