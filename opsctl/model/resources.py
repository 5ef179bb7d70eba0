"""What a service may use of its machine, where a target of containers runs it.

A limit is there to contain a fault, never to slow what works: memory is bounded far above
what a service was seen to use, processors are shared by weight and never by a quota, which
would stop a process in the middle of an order until its next period.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value


def _whole(value: Any) -> Any:
    # pydantic takes True for 1.
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


Whole = BeforeValidator(_whole)
MiB = Annotated[int, Whole, Field(ge=32, le=16 * 1024**2)]
_SPAN = "[0-9]{1,4}(-[0-9]{1,4})?"
Processors = Annotated[str, Field(pattern=f"^({_SPAN}(,{_SPAN})*)?$")]
"""As the kernel lists them: `2`, `0-1`, `2,4-7`; empty for all."""


class Asked(Value):
    """What an environment asks for one service in place of the default."""

    memory_mb: MiB | None = Field(
        None, description="MiB of memory after which it is killed and started again"
    )
    reserved_mb: Annotated[int, Whole, Field(ge=0, le=16 * 1024**2)] | None = Field(
        None, description="MiB that it keeps while the machine is short of memory"
    )
    shm_mb: Annotated[int, Whole, Field(ge=1, le=1024**2)] | None = Field(
        None, description="MiB of POSIX shared memory"
    )
    processes: Annotated[int, Whole, Field(ge=16, le=4_000_000)] | None = Field(
        None, description="most processes and threads"
    )
    cpus: Processors | None = Field(
        None, description="the processors that it runs on, such as `2` or `0-1`; empty: all"
    )
    open_files: Annotated[int, Whole, Field(ge=0, le=2**30)] | None = Field(
        None, description="most open files; 0: as the engine has it"
    )
    lock_memory: bool | None = Field(None, description="whether it may lock its memory")
    realtime: Annotated[int, Whole, Field(ge=0, le=99)] | None = Field(
        None, description="real-time priority (SCHED_FIFO) of an app; 0: none"
    )
    huge_pages: Annotated[int, Whole, Field(ge=0, le=2**30)] | None = Field(
        None, description="huge pages that its machine must have free for it"
    )
    oom_score: Annotated[int, Whole, Field(ge=0, le=1_000)] | None = Field(
        None, description="how early it is killed where the machine is out of memory"
    )


class Resources(Value):
    """What one service may use; the fields are those of `Asked`."""

    memory_mb: int
    reserved_mb: int = 0
    shm_mb: int = 64
    processes: int = 512
    cpus: str = ""
    open_files: int = 0
    lock_memory: bool = False
    realtime: int = 0
    huge_pages: int = 0
    oom_score: int = 0


# Seen in an hour of tier daily, MiB: strategy 157, data 74, venue 73, execution 72, projector
# 67, postgres 60, desk 44, seaweedfs 33, prometheus 26, etcd 25, alertmanager 13, valkey 3.
DEFAULTS: Mapping[str, Resources] = {
    # Its database may have 4 GiB, all of it mapped, and a full journal stops trading.
    "etcd": Resources(memory_mb=6_144, reserved_mb=128),
    # Holds at most 256 MiB of messages (its own limit), twice while it is copied to a replica.
    "valkey": Resources(memory_mb=1_024, reserved_mb=64),
    "data": Resources(memory_mb=1_024, reserved_mb=96),
    # The optimizer's libraries, and a window of prices of every instrument.
    "strategy": Resources(memory_mb=2_048, reserved_mb=192),
    # Replays the journal from its last snapshot when it takes over.
    "execution": Resources(memory_mb=2_048, reserved_mb=128),
    "network": Resources(memory_mb=256, reserved_mb=48),
    "venue": Resources(memory_mb=1_024, reserved_mb=96),
    # A process for each connection, and shared memory for what it sorts and hashes.
    "postgres": Resources(memory_mb=2_048, shm_mb=256, oom_score=300),
    "projector": Resources(memory_mb=1_024, oom_score=400),
    "desk": Resources(memory_mb=512, oom_score=600),
    # A query over all that it keeps (1 GB) reads that into memory.
    "prometheus": Resources(memory_mb=2_048, oom_score=500),
    "alertmanager": Resources(memory_mb=512, oom_score=500),
    "seaweedfs": Resources(memory_mb=2_048, oom_score=500),
}
"""By service. Who has an OOM score is off the order path, and is killed before what is on it."""

ALIKE = Resources(memory_mb=2_048)
"""Of a service that the table does not know."""

REALTIME = ("data", "strategy", "execution")
"""The apps between tick and order, which the tier hft runs before everything else."""
PRIORITY = 10
"""Above ordinary processes, below the kernel's own threads (50)."""


def resources(service: str, tier: LatencyTier, asked: Asked | None = None) -> Resources:
    """Return what a service may use: the default of its name and tier, and what was asked."""
    found = DEFAULTS.get(service, ALIKE)
    if tier is LatencyTier.HFT and service in REALTIME:
        found = found.model_copy(update={"realtime": PRIORITY, "lock_memory": True})
    if asked is not None:
        wanted = asked.model_dump(exclude_none=True)
        found = found.model_copy(update=wanted)
        if "reserved_mb" not in wanted:  # no more than it may have at all
            kept = min(found.reserved_mb, found.memory_mb)
            found = found.model_copy(update={"reserved_mb": kept})
    return found
