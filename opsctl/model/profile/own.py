"""A firm's own profile: `site/profiles/NAME.yaml`, on top of a tier's; pure.

What the file may say is checked against the catalogue, and every fault is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from opsctl.model import documents
from opsctl.model.explain import explain, meant
from opsctl.model.faults import Fault, Path
from opsctl.model.profile import cpus, places, words
from opsctl.model.profile.catalogue import BY_ID
from opsctl.model.profile.firewall import SSH_PORT, Allowed, Network
from opsctl.model.profile.layout import Wish
from opsctl.model.profile.setting import Compare, Means, Setting, Topic
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_HOST = r"^[A-Za-z0-9.:-]{1,253}$"
_NIC = r"^[A-Za-z0-9_.:-]{1,15}$"


def _text(value: Any) -> Any:
    """Numbers and switches are written as people write them; a setting is text."""
    if isinstance(value, bool):
        raise ValueError("must be text: quote on, off, yes, no, true and false")
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else value


def _cpu_list(value: Any) -> Any:
    """A list of CPUs may be written as one number, or as a list."""
    if isinstance(value, list) and all(isinstance(each, int) and each >= 0 for each in value):
        return cpus.listed(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "integer"]}, mode="validation")
]
CpuList = Annotated[
    str,
    BeforeValidator(_cpu_list),
    WithJsonSchema(
        {"type": ["string", "integer", "array"], "items": {"type": "integer"}}, mode="validation"
    ),
]


class OwnLayout(Wish):
    """The layout as the firm wants it; what is left out is computed."""

    housekeeping: CpuList = ""
    interrupts: CpuList = ""
    trading: CpuList = ""


class Changed(Value):
    """Another value for a setting of the catalogue, or a setting of the firm's own.

    One of the catalogue takes `want` and `why`; one of its own `topic`, `means` and `at` too.
    """

    want: Text
    why: str = Field(min_length=1)
    """Why this firm wants it so: whoever reads an audit asks."""
    topic: Topic | None = None
    means: Means | None = None
    at: str = ""
    compare: Compare | None = None
    boot: bool = False
    undo: str = ""


class Own(Value):
    """A firm's own profile."""

    format: Literal[1] = 1
    extends: LatencyTier
    settings: dict[str, Changed] = {}
    off: dict[str, Annotated[str, Field(min_length=1)]] = {}
    """Settings of the tier that the firm does not want, each with the reason."""
    layout: OwnLayout = OwnLayout()
    trading_nics: tuple[Annotated[str, Field(pattern=_NIC)], ...] = ()
    """NICs that carry trading; every one but management's where it is empty."""
    mitigations: Literal["auto", "off"] = "auto"
    time: Literal["chrony", "ptp"] = "chrony"
    time_servers: tuple[Annotated[str, Field(pattern=_HOST)], ...] = ()
    """Names or addresses; the pool of the distribution where it is empty."""
    management_sources: tuple[Network, ...] = ()
    """Networks that SSH may come from; any, by a NIC of management, where it is empty."""
    ssh_port: int = Field(SSH_PORT, ge=1, le=65_535)
    allow: tuple[Allowed, ...] = ()
    """What may come in besides: the ports of an environment's services."""


def named(setting: Setting, changed: Changed) -> Setting:
    """Return a setting of the catalogue as a firm wants it."""
    return setting.model_copy(
        update={
            "want": dict.fromkeys(LatencyTier, changed.want),
            "why": changed.why,
            "compare": changed.compare or setting.compare,
        }
    )


def new(identity: str, changed: Changed) -> Setting:
    """Return a setting of the firm's own; its faults have been told before."""
    if changed.topic is None or changed.means is None:
        raise Unfit([*_faults_of(identity, changed)])
    return Setting(
        id=identity,
        topic=changed.topic,
        means=changed.means,
        at=changed.at,
        want=dict.fromkeys(LatencyTier, changed.want),
        why=changed.why,
        source="the firm's own profile",
        undo=changed.undo or "what was there before is put back",
        compare=changed.compare or Compare.EQUAL,
        boot=changed.boot or changed.means is Means.CMDLINE,
    )


def read(name: str, text: str, file: str = "") -> Own:
    """Return the profile that a file's text says.

    Raises:
        Unfit: with every fault of the file, its path and line.
    """
    file = file or f"site/profiles/{name}.yaml"
    found = documents.read(file, text)
    faults = list(found.faults)

    def refuse(path: Path, problem: str) -> None:
        faults.append(Fault(path=".".join(path), problem=problem, file=file, line=found.line(path)))

    own: Own | None = None
    if name in set(LatencyTier) or not _NAME.fullmatch(name):
        refuse((), f"{name} is no name for a profile: lower-case letters, digits, -, and no tier's")
    if found.readable and not isinstance(found.root, dict):
        refuse((), "must be a mapping with `extends:`")
    elif found.readable:
        try:
            own = Own.model_validate(found.root)
        except ValidationError as error:
            for path, problem in explain(error, Own):
                refuse(path, problem)
    if own is not None:
        for path, problem in _wrong(own):
            refuse(path, problem)
    if faults or own is None:
        raise Unfit(sorted(faults, key=lambda each: each.line or 0))
    return own


def _wrong(own: Own) -> Iterator[tuple[Path, str]]:
    for identity, changed in own.settings.items():
        if identity in own.off:
            yield ("off", identity), "is both set and off: keep one"
        for fault in _faults_of(identity, changed):
            yield ("settings", identity, *filter(None, [fault.path])), fault.problem
    for name in ("housekeeping", "interrupts", "trading"):
        try:
            cpus.of_list(getattr(own.layout, name))
        except ValueError as error:
            yield ("layout", name), str(error)
    for identity in own.off:
        if identity not in BY_ID:
            yield ("off", identity), _unknown(identity)
        elif own.extends not in BY_ID[identity].want:
            yield ("off", identity), f"is no setting of {own.extends}: leave it out"


def _faults_of(identity: str, changed: Changed) -> Iterator[Fault]:
    known = BY_ID.get(identity)
    if known is not None:
        for field in ("topic", "means", "at", "undo"):
            if getattr(changed, field):
                yield Fault(path=field, problem=f"is the catalogue's: leave it out of {identity}")
        yield from _of_text(known.means, known.at, changed, words.KNOWN)
    elif changed.means is None and changed.topic is None and not changed.at:
        yield Fault(path="", problem=_unknown(identity))
    else:
        for field in ("topic", "means", "at"):
            if not getattr(changed, field):
                yield Fault(path=field, problem="is required of a setting of the firm's own")
        yield from _of_text(changed.means, changed.at, changed, words.OF_BOX | words.OF_FIRM)


def _of_text(
    means: Means | None, at: str, changed: Changed, allowed: frozenset[str]
) -> Iterator[Fault]:
    """Yield what is wrong with the text of a place and of what is wanted there."""
    if means is not None and at:
        for field, problem in places.wrong(means, at, changed.want):
            yield Fault(path=field, problem=problem)
    for field in ("want", "at"):
        for word in sorted(words.in_(getattr(changed, field)) - allowed):
            yield Fault(
                path=field, problem=f"{{{word}}} stands for nothing: known are {_words(allowed)}"
            )


def _words(allowed: frozenset[str]) -> str:
    return ", ".join(f"{{{word}}}" for word in sorted(allowed))


def _unknown(identity: str) -> str:
    near = meant(identity, BY_ID)
    return "is no setting of the catalogue: " + (
        f"did you mean {near}?"
        if near
        else "docs/profiles.md lists them; one of the firm's own has topic, means and at"
    )
