"""Ephemeral environments in clouds of which this machine has no note: by tags, and by states.

Only an account whose CI may make them is asked: one of a file of the project with `trading:aws.ci`.
A state is looked for in every bucket that a file of the project names for that account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opsctl import infra
from opsctl.environments import project
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra import ending
from opsctl.model.aws import StateSettings, region_of
from opsctl.model.environment import Environment
from opsctl.model.value import Value


class Stray(Value):
    """An environment as its tags tell of it, and what bears them."""

    environment: Environment
    """Its `aws.state` is where a bucket has its state; without one nobody here can destroy it."""
    resources: tuple[str, ...]


def look() -> tuple[tuple[Stray, ...], tuple[str, ...]]:
    """Return what is in the accounts of the project, and which could not be asked, and why."""
    files = tuple(_files())
    found: list[Stray] = []
    unreachable = []
    for account in dict.fromkeys(one.aws.account for one in files if one.aws.ci.repository):
        regions = _regions(one for one in files if one.aws.account == account)
        try:
            found += strays(account, regions)
        except OpsctlError as fault:
            unreachable.append(f"account {account}: {fault.message}")
    return tuple(found), tuple(unreachable)


def strays(account: str, regions: Iterable[str]) -> tuple[Stray, ...]:
    """Return what is in regions of an account.

    Raises:
        OpsctlError: it cannot be asked.
    """
    from opsctl.infra.aws.tagged import tagged

    states = tuple(dict.fromkeys(one.aws.state for one in _files() if one.aws.account == account))
    found = []
    for one in tagged(account, regions):
        said = Environment.model_validate(
            {
                "name": one.environment,
                "tier": one.tier,
                "dr": one.dr,
                "target": "docker",
                "infrastructure": "aws",
                "ephemeral": one.ephemeral,
                "aws": {
                    "account": account,
                    "owner": one.owner,
                    "region": one.regions[0],
                    "ephemeral": True,
                    "expires": one.ephemeral.expires[:10],
                },
            }
        )
        found.append(Stray(environment=_stated(said, states), resources=one.resources))
    return tuple(found)


def regions(environment: Environment) -> tuple[str, ...]:
    """Return the regions that an environment has sites in."""
    return tuple(dict.fromkeys(region_of(environment.aws, site) for site in environment.sites))


def refuse_stack(environment: Environment) -> None:
    """Raise a `UsageError` where a bucket has a stack of that name with something in it."""
    if environment.aws.state.backend and _tags(environment):
        raise UsageError(
            f"the name {environment.name} is taken, by a stack in {environment.aws.state.backend}",
            hint="choose another name",
        )


def _stated(said: Environment, states: Iterable[StateSettings]) -> Environment:
    """Return it with the place of its state, where a bucket has that."""
    for state in states:
        if not state.backend:
            continue
        aws = said.aws.model_copy(update={"state": state})
        there = said.model_copy(update={"aws": aws})
        if any(tags.get("expires") == said.ephemeral.expires for tags in _tags(there)):
            return there
    return said


def _tags(environment: Environment) -> tuple[Mapping[str, str], ...]:
    """Return the tags of what a state has; nothing where there is no such state."""
    known = ending.noted(environment.name) is not None
    engine = infra.open_engine(infra.program(environment))
    try:
        if not engine.exists:
            return ()
        resources = engine.export()["deployment"].get("resources") or ()
        return tuple((one.get("inputs") or {}).get("tags") or {} for one in resources)
    finally:
        if not known:
            ending.forget(environment.name)


def _files() -> Iterator[Environment]:
    """Yield the environments of the project that are on AWS by sound files."""
    here = project()
    for name in here.names:
        found = here.assemble(name).environment
        if found is not None and found.infrastructure == "aws":
            yield found


def _regions(environments: Iterable[Environment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(region for one in environments for region in regions(one)))
