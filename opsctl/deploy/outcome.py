"""What the commands of the pipeline answer with; the JSON forms are contracts."""

from __future__ import annotations

from datetime import datetime

from opsctl.deploy.rollout import Step
from opsctl.health.verify import Verification
from opsctl.model.value import Value
from opsctl.targets.base import Change


class Taken(Step):
    """A step that was taken; `handover_ms` is null where the order path was not handed over."""

    duration_s: float
    handover_ms: float | None = None


class Deployed(Value):
    """What a deploy or a rollback did.

    `run` is the deployment that runs now: this one, or where nothing changed the one that
    ran already. `steps` are those in which the changes were made. `verification` is null where
    it was skipped, or nothing changed. `rehearsal` says why its DR tier is rehearsed and not
    met; empty where it is none.
    """

    environment: str
    run: str
    changed: bool
    changes: tuple[Change, ...]
    steps: tuple[Taken, ...] = ()
    restores: str | None = None
    services: int
    duration_s: float
    rehearsal: str = ""
    verification: Verification | None = None

    @property
    def kept(self) -> bool:
        """Whether what the tier promises was measured, or not asked for."""
        return self.verification is None or self.verification.verdict == "passed"


class Rotated(Value):
    """What a rotation did: the runs of its steps, and when the new authority ends."""

    environment: str
    runs: tuple[str, ...]
    expires: datetime
    duration_s: float


class Destroyed(Value):
    """What a destroy did; `run` is null where there was nothing to destroy."""

    environment: str
    run: str | None
    stopped: tuple[str, ...]
    kept_data: bool
    duration_s: float


class Link(Value):
    """The dashboard's address with a code that logs in once, until `expires`."""

    environment: str
    address: str
    expires: datetime


class SiteStopped(Value):
    """What a site did that was asked to stop without the journal; ids of orders.

    `cancelled`: a cancel was sent; `unsent`: its session was down; `left`: open on another
    site's session; `in_doubt`: nobody knows whether the venue has them. `detail` says why the
    site did nothing, or what it lacks of the journal.
    """

    site: str
    answered: bool
    cancelled: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    detail: str = ""


class Switched(Value):
    """What `halt` or `resume` did to the kill switch.

    `changed` is false where it stood so already. `effective` says that the leader of the
    order path has confirmed that it obeys, `effective_ms` how long after the request that
    was. `at`, `by` and `reason` are those of the halt, null where trading goes on. `sites`:
    the journal did not answer, so each site was asked to stop by itself.
    """

    environment: str
    halted: bool
    changed: bool
    effective: bool
    effective_ms: float
    at: datetime | None
    by: str | None
    reason: str | None
    sites: tuple[SiteStopped, ...] = ()
