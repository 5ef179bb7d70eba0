"""Taking, listing and pruning the snapshots of an environment, with evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsctl import evidence
from opsctl.deploy import identity, lock
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra import open_engine, program
from opsctl.infra.aws import snapshots as on_aws
from opsctl.infra.aws.asking import Asking, held_to
from opsctl.infra.aws.stated import stated
from opsctl.infra.snapshots import Snapshot, Source, StackSnapshots, awaited, missing, past
from opsctl.model.aws import region_of
from opsctl.model.environment import Environment

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kept:
    """The snapshots of an environment, and what they can be taken of."""

    environment: Environment
    vault: on_aws.Vault
    sources: tuple[Source, ...]
    caller: str
    """Who asks, as AWS knows them."""

    def listed(self) -> StackSnapshots:
        """Return the snapshots that are there."""
        return StackSnapshots(environment=self.environment.name, snapshots=self.vault.all())

    def taken(self, name: str, days: int, within_s: float, say: Say) -> StackSnapshots:
        """Have a snapshot of everything that holds data, in a set of that name; wait for them.

        What the set has already is left alone: a command that was killed is gone on with.

        Raises:
            UsageError: there is nothing to take one of.
            OpsctlError: AWS refuses one; those of the others were begun.
        """
        if not self.sources:
            raise UsageError(
                f"nothing of {self.environment.name} holds data on AWS yet",
                hint=f"opsctl deploy {self.environment.name} --only infrastructure",
            )
        with (
            lock.held(self.environment.name, "stack snapshot"),
            self._recorded({"name": name, "days": days}) as run,
        ):
            made = self._begun(name, days, say)
            run.result = {"name": name, "taken": list(made)}
        found = awaited(self.vault.all, name, within_s, say)
        mine = [one for one in found if one.name == name]
        return StackSnapshots(
            environment=self.environment.name,
            snapshots=tuple(found),
            taken=made,
            running=tuple(one.id for one in mine if one.state == "running"),
        )

    def _begun(self, name: str, days: int, say: Say) -> tuple[str, ...]:
        until = datetime.now(UTC).date() + timedelta(days=days)
        tags = {
            "tier": self.environment.tier.value,
            "dr": self.environment.dr.value,
            "owner": self.environment.aws.owner,
            "expires": until.isoformat(),
            on_aws.BY: self.caller,
        }
        made, faults = [], list[OpsctlError]()
        for source, failed in missing(self.sources, self.vault.all(), name):
            try:
                if failed is not None:
                    self.vault.delete(failed)
                made.append(self.vault.take(source, name, tags))
                say(f"{source.resource}: begun ({made[-1]})")
            except OpsctlError as fault:
                faults.append(fault)
        if faults:
            raise OpsctlError(
                f"{len(faults)} of {len(self.sources)} snapshots of {self.environment.name} could "
                "not be begun; the others were",
                details=[fault.message for fault in faults],
                hint=f"{faults[0].hint}; then the same command again, which takes the rest",
            )
        return tuple(made)

    def past(self) -> tuple[Snapshot, ...]:
        """Return those that pruning would delete."""
        return past(self.vault.all(), datetime.now(UTC).date())

    def pruned(self, going: Sequence[Snapshot], say: Say) -> StackSnapshots:
        """Delete these snapshots."""
        with self._recorded({"prune": [one.id for one in going]}) as run:
            for one in going:
                self.vault.delete(one)
                say(f"{one.resource}: {one.id} of {one.made:%Y-%m-%d} deleted")
            run.result = {"pruned": [one.id for one in going]}
        return StackSnapshots(
            environment=self.environment.name,
            snapshots=self.vault.all(),
            pruned=tuple(one.id for one in going),
        )

    def _recorded(self, arguments: dict[str, object]) -> AbstractContextManager[evidence.Run]:
        return evidence.recorded(
            command="stack snapshot",
            environment=self.environment.name,
            identity=identity.known(self.environment.name),
            arguments=arguments,
        )


def kept(environment: Environment) -> Kept:
    """Return the snapshots of an environment.

    Raises:
        UsageError: it is not on AWS, or these are the credentials of another account.
        OpsctlError: its state cannot be read, there are no credentials, AWS does not answer.
    """
    name = environment.name
    if environment.infrastructure != "aws":
        raise UsageError(
            f"{name} is not on AWS, and has no snapshots",
            hint="trading:infrastructure in its file says what it is on",
        )
    asked = Asking()
    caller = held_to(environment.aws.account, asked)
    engine = open_engine(program(environment))
    deployment = engine.export()["deployment"] if engine.exists else None
    sources = on_aws.sources(stated(deployment))
    regions = (region_of(environment.aws, site) for site in environment.sites)
    vault = on_aws.Vault(asked, name, (*regions, *(one.region for one in sources)))
    return Kept(environment, vault, sources, caller)
