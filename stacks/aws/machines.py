"""What a host is made of: instance type, processors, tenancy, placement, volume. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsctl.model.aws import AwsSettings, HostSettings, Role
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value
from stacks.aws.refused import Reason

INTEL = ("c6i", "c6id", "c6in", "c7i", "m6i", "m6id", "m6in", "m7i", "r6i", "r7i", "t3", "z1d")
AMD = ("c7a", "m7a", "r7a")
"""Families whose processor is a core: there is no second thread to leave idle."""
ARM = re.compile(r"^(a1|t4g|[a-z]+[0-9]+g[a-z]*)$")
_SIZE = re.compile(
    r"^(?:(?P<times>[0-9]*)xlarge|(?P<small>small|medium|large)|(?P<metal>metal.*))$"
)
ROOT_GB = 30
GP3_MOST_IOPS = 16_000


class Machine(Value):
    """A host as the cloud is asked for it."""

    type: str
    tenancy: str = "default"
    placement: str = "none"
    one_thread_a_core: bool = False
    data_gb: int
    data_type: str = "gp3"
    data_iops: int = 3_000

    @property
    def metal(self) -> bool:
        """Whether it is a whole machine, which has no hypervisor and takes no CPU options."""
        return ".metal" in self.type

    @property
    def burstable(self) -> bool:
        """Whether its processors are slowed when it has used more than its share."""
        return self.type.startswith("t")

    @property
    def cores(self) -> int | None:
        """Its cores, where they are to have one thread each by CPU options; None: no options."""
        family, _, size = self.type.partition(".")
        if not self.one_thread_a_core or self.metal or family not in INTEL:
            return None
        found = _SIZE.match(size)
        times = found["times"] if found else ""
        return int(times or 1) * 2 if found and size.endswith("xlarge") else 1


_SMALL = Machine(type="t3.small", data_gb=20)
_STEADY = Machine(type="m7i.large", data_gb=50)
BY_TIER: dict[LatencyTier, dict[Role, Machine]] = {
    LatencyTier.WEEKLY: {
        Role.TRADING: Machine(type="m7i.large", data_gb=100),
        Role.WITNESS: _SMALL,
    },
    LatencyTier.DAILY: {
        Role.TRADING: Machine(type="m7i.xlarge", data_gb=200),
        Role.WITNESS: _SMALL,
    },
    # A witness that is slowed would slow the quorum: none that bursts.
    LatencyTier.INTRADAY: {
        Role.TRADING: Machine(
            type="c7i.4xlarge", one_thread_a_core=True, data_gb=500, data_iops=6_000
        ),
        Role.WITNESS: _STEADY,
    },
    # The whole machine, so that no hypervisor is between a program and its processors.
    LatencyTier.HFT: {
        Role.TRADING: Machine(
            type="c7i.metal-24xl",
            tenancy="dedicated",
            placement="cluster",
            one_thread_a_core=True,
            data_gb=1_000,
            data_type="io2",
            data_iops=16_000,
        ),
        Role.WITNESS: _STEADY,
    },
}


def machine(tier: LatencyTier, role: Role, settings: AwsSettings) -> Machine:
    """Return what a host of a role is: the tier's default, and what is set in its place."""
    said = settings.hosts.get(role, HostSettings()).model_dump(exclude_none=True)
    return BY_TIER[tier][role].model_copy(update=said)


def machine_faults(role: Role, one: Machine) -> Iterator[Reason]:
    """Yield what cannot be had of a machine, by setting."""
    at = ("aws", "hosts", role.value)
    family, _, size = one.type.partition(".")
    if ARM.match(family):
        yield (*at, "type"), f"{one.type} is Arm, and the platform is built for x86-64: try c7i"
    elif family not in (*INTEL, *AMD):
        known = ", ".join(sorted((*INTEL, *AMD)))
        yield (*at, "type"), f"{family} is no family that is known here: take one of {known}"
    elif not _SIZE.match(size):
        yield (*at, "type"), f"{size} is no size of an instance: large, xlarge, 4xlarge, metal-24xl"
    if one.burstable and one.placement == "cluster":
        yield (*at, "placement"), f"AWS puts no {family} into a cluster placement group: try c7i"
    if one.data_type == "gp3" and one.data_iops > GP3_MOST_IOPS:
        yield (
            (*at, "data_iops"),
            f"gp3 gives at most {GP3_MOST_IOPS} operations a second: write `data_type: io2`",
        )
    most = 500 if one.data_type == "gp3" else 1_000
    if one.data_iops > max(3_000, most * one.data_gb):
        yield (
            (*at, "data_iops"),
            (
                f"{one.data_type} gives at most {most} operations a second for each GiB: "
                "ask for fewer, or for a larger volume"
            ),
        )
