"""When a drill must be stopped and rolled back, as its scenario says; pure."""

from __future__ import annotations

from pydantic import Field

from opsctl.model.value import Value


class Stop(Value):
    """What stops a drill; without any of it nothing does but a disk that runs full."""

    lost: int | None = Field(None, ge=0)
    """Acknowledged orders that the journal may lack; one more stops the drill."""
    gap_s: float | None = Field(None, gt=0, le=3600)
    """Seconds without an acknowledgement."""
    query: str = ""
    """A query of Prometheus that tells of harm by any series that is not 0."""
    for_s: float = Field(0, ge=0, le=3600)
    """How long it has to."""
