"""The kinds of faults, as a scenario names them: what breaks, where, when and for how long; pure.

A kind says what it means, not how it is done: that is the target's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from opsctl.model.topology import Kind as LinkKind
from opsctl.model.value import Value
from opsctl.services.catalogue import NAMES

Place = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
"""`leader` or `follower`, by what a site does as the drill begins; or a place by its name: a site,
`witness`, `market` (where the venue stands)."""

Seconds = Annotated[float, Field(gt=0, le=3600)]


class Fault(Value):
    """What every fault has: when it strikes, counted from the first blow of the drill."""

    after_s: float = Field(default=0.0, ge=0, le=3600)

    @property
    def standing_s(self) -> float:
        """How long it stands; 0 where there is nothing to lift."""
        return float(getattr(self, "hold_s", 0.0))


class Pulsed(Fault):
    """A fault that comes and goes: `times` blows, one every `every_s`."""

    hold_s: Seconds
    times: int = Field(default=1, ge=1, le=1000)
    every_s: float = Field(default=0.0, ge=0, le=3600, validate_default=True)

    @field_validator("every_s")
    @classmethod
    def _lets_go_between(cls, every_s: float, info: ValidationInfo) -> float:
        hold_s, times = info.data.get("hold_s"), info.data.get("times")
        if hold_s is not None and times is not None and times > 1 and every_s <= hold_s:
            raise ValueError(f"must be > hold_s ({hold_s:g}) where there are several times")
        return every_s


def _known(services: tuple[str, ...]) -> tuple[str, ...]:
    for name in services:
        if name not in NAMES:
            raise ValueError(f"{name} is no service: known are {', '.join(sorted(NAMES))}")
    return services


class _OfServices(Value):
    site: Place
    services: tuple[str, ...] = Field(min_length=1)

    @field_validator("services")
    @classmethod
    def _are_known(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        return _known(services)


class Kill(_OfServices, Fault):
    """SIGKILL services of a site; their supervisor starts them again."""

    kind: Literal["kill"] = "kill"


class Freeze(_OfServices, Pulsed):
    """SIGSTOP services of a site, SIGCONT after `hold_s`."""

    kind: Literal["freeze"] = "freeze"


class Lose(Fault):
    """SIGKILL processes of a site and keep them down for `hold_s`: all, or those of services.

    With `etcd_leader` the journal's leading member is moved there before; without, it is where
    it is: mostly there, since it follows the leading site.
    """

    kind: Literal["lose"] = "lose"
    site: Place
    services: tuple[str, ...] = ()
    hold_s: Seconds
    etcd_leader: bool = False

    @field_validator("services")
    @classmethod
    def _are_known(cls, services: tuple[str, ...]) -> tuple[str, ...]:
        return _known(services)


class _OfLinks(Value):
    between: tuple[Place, Place]
    links: tuple[LinkKind, ...] = ()
    """The kinds of links; all of them where none is named."""


class Cut(_OfLinks, Pulsed):
    """Break every connection between two places, both ways, and every new one."""

    kind: Literal["cut"] = "cut"


class Delay(_OfLinks, Pulsed):
    """Hold back what goes between two places, each way, by `delay_ms`."""

    kind: Literal["delay"] = "delay"
    delay_ms: int = Field(gt=0, le=60_000)


class Trickle(_OfLinks, Pulsed):
    """Let no more than `bytes_per_s` through, of each connection each way."""

    kind: Literal["trickle"] = "trickle"
    bytes_per_s: int = Field(ge=100, le=1_000_000_000)


class Drop(Pulsed):
    """Swallow what one place sends to another; the connections stay, the other way works."""

    kind: Literal["drop"] = "drop"
    sender: Place
    receiver: Place
    links: tuple[LinkKind, ...] = ()


class Fill(_OfServices, Fault):
    """The disk takes no more bytes of services: what they write to files fails.

    Of `memory` it is the folders that services have in memory, for scratch and sockets.
    """

    kind: Literal["fill"] = "fill"
    of: Literal["data", "memory"] = "data"
    hold_s: Seconds


class Slow(_OfServices, Fault):
    """The disk takes no more than `writes_per_s` of services: a sync waits for two or three."""

    kind: Literal["slow"] = "slow"
    writes_per_s: int = Field(ge=1, le=1_000_000)
    hold_s: Seconds


class Memory(_OfServices, Fault):
    """Services start anew with no more than `limit_mb` of memory; with what they had after it."""

    kind: Literal["memory"] = "memory"
    limit_mb: int = Field(ge=6, le=1_000_000)
    hold_s: Seconds


class Unplug(Pulsed):
    """The cable between a site and all other places is out."""

    kind: Literal["unplug"] = "unplug"
    site: Place


class Reject(Pulsed):
    """A firewall between a site and all other places answers every connection with a reset."""

    kind: Literal["reject"] = "reject"
    site: Place


class Loss(Pulsed):
    """Of the packets between a site and all other places so many are lost at random."""

    kind: Literal["loss"] = "loss"
    site: Place
    percent: int = Field(ge=1, le=100)
    loses: Literal["both", "to", "from"] = "both"
    """Both ways, or only what goes to the site, or only what comes from it."""


class Throttle(Pulsed):
    """Everything between a site and all other places shares so much bandwidth, each way."""

    kind: Literal["throttle"] = "throttle"
    site: Place
    kbit_per_s: int = Field(ge=8, le=100_000_000)


class EngineLoss(Fault):
    """The engine that runs the containers dies, and is started again after `hold_s`."""

    kind: Literal["engine"] = "engine"
    containers: Literal["live", "end"] = "live"
    """Whether they live on without it; the engine is set up for one or the other."""
    hold_s: Seconds


class Clock(_OfServices, Fault):
    """Services start anew under a wall clock that is `shift_s` off; true again after `hold_s`."""

    kind: Literal["clock"] = "clock"
    shift_s: float = Field(ge=-86_400, le=86_400)
    hold_s: Seconds


class HandOver(Fault):
    """Hand the order path over to a site, as `opsctl failover` does."""

    kind: Literal["handover"] = "handover"
    to: Place = "follower"


AnyFault = Annotated[
    Kill
    | Freeze
    | Lose
    | Cut
    | Delay
    | Trickle
    | Drop
    | Unplug
    | Reject
    | Loss
    | Throttle
    | Fill
    | Slow
    | Memory
    | Clock
    | EngineLoss
    | HandOver,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[Fault]] = {
    "kill": Kill,
    "freeze": Freeze,
    "lose": Lose,
    "cut": Cut,
    "delay": Delay,
    "trickle": Trickle,
    "drop": Drop,
    "unplug": Unplug,
    "reject": Reject,
    "loss": Loss,
    "throttle": Throttle,
    "fill": Fill,
    "slow": Slow,
    "memory": Memory,
    "clock": Clock,
    "engine": EngineLoss,
    "handover": HandOver,
}
