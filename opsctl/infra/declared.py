"""What an environment declares of its infrastructure, whatever cloud it is of: a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from opsctl.infra.guardrails.rule import Facts
from opsctl.infra.guardrails.waivers import Waiver
from opsctl.infra.pending import Lookup, nowhere
from opsctl.infra.prechecks import Precheck
from opsctl.infra.previewed import Preview
from opsctl.infra.workspace import Workspace


@dataclass(frozen=True)
class Declared:
    """A program, where its state is, and what it is judged by."""

    program: Callable[[], None]
    """Declares the resources; called by the engine."""
    workspace: Workspace
    facts: Callable[[Sequence[str]], Facts]
    """What the guardrails need to know; takes the names given with `--replace-data`."""
    waivers: Sequence[Waiver] = ()
    unmet: Callable[[], tuple[str, ...]] = tuple
    """Why a tier is not met by what is declared."""
    prechecks: Callable[[Preview], tuple[Precheck, ...]] = lambda _: ()
    """What stands against an update, as the account has it."""
    lookup: Lookup = nowhere
    """Finds what a killed update may have made."""
    lock_lasts: timedelta | None = None
    """For how long an engine may hold the lock of the stack; None: until somebody says."""
    looks: bool = False
    """Whether a plan looks at what is there, not only at what was declared last."""
    keep_going: bool = False
    """Whether an update goes on with what does not depend on a resource that failed."""

    def allowing(self, replace_data: Sequence[str], max_deletions: int | None = None) -> Facts:
        """Return what the guardrails need to know, with what the command line allows.

        Raises:
            UsageError: what is declared cannot be.
        """
        found = self.facts(replace_data)
        if max_deletions is None:
            return found
        return found.model_copy(update={"max_deletions": max_deletions})
