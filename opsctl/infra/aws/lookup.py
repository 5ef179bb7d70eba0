"""What a killed update has made on AWS: looked up once, and again while AWS may still show it.

How each type is found is `opsctl.infra.aws.finding`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from opsctl.errors import OpsctlError
from opsctl.infra.aws.asking import Asking
from opsctl.infra.aws.finding import KINDS, ONCE, Where
from opsctl.infra.pending import Lookup, Operation, Undecided

AGAIN_S = 5.0
"""For how long what is not found is asked for again: AWS shows some things later than it makes
them, and a killed provider's last call may still be under way."""
EVERY_S = 1.0


def in_account(account: str) -> Lookup:
    """Return what looks up, in an account, what an operation may have made."""
    found = _Found(account)

    def looked(operation: Operation) -> str | None:
        return found.of(operation)

    return looked


class _Found:
    """Looks things up; waits once for all, not once for each."""

    def __init__(self, account: str) -> None:
        self._account, self._asked = account, Asking()
        self._until: float | None = None

    def of(self, operation: Operation) -> str | None:
        if operation.type in ONCE or operation.type.startswith("pulumi:"):
            return None
        find = KINDS.get(operation.type)
        region = operation.inputs.get("region") or operation.provider.get("region")
        if find is None or not region:
            what = "which region it is in" if find else f"how a {operation.type} is looked up"
            raise Undecided(f"it is not known {what}")
        if self._until is None:
            self._until = time.monotonic() + AGAIN_S
        try:
            where = Where(self._asked, region, self._account)
            return self._awaited(partial(find, where), operation)
        except OpsctlError as error:
            raise Undecided(f"{error.message} ({error.hint})") from error

    def _awaited(self, find: Callable[[Operation], Iterator[str]], of: Operation) -> str | None:
        while True:
            made = sorted(set(find(of)) - set(of.recorded))
            if len(made) > 1:
                raise Undecided(f"there are {len(made)} that bear its tags: {', '.join(made)}")
            left = (self._until or 0.0) - time.monotonic()
            if made or left <= 0:
                return made[0] if made else None
            time.sleep(min(EVERY_S, left))
