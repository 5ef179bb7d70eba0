"""A new environment file: what was chosen, and everything else as comments to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from opsctl.model.environment import Environment, TargetName
from opsctl.model.faults import NAMESPACE, key_of
from opsctl.model.migrations import FORMAT
from opsctl.model.tiers import LATENCY, DrTier, LatencyTier

CHOSEN = ("tier", "dr", "target")


def new_file(
    name: str,
    *,
    extends: str | None,
    tier: LatencyTier | None,
    dr: DrTier | None,
    target: TargetName | None,
    allow_unmet: bool = False,
) -> str:
    """Return the text of an environment file; None leaves a setting to what it extends.

    Without `extends`, `tier` is needed; target and dr get a value that can be deployed.
    """
    if extends is None:
        target = target or TargetName.LOCAL
        dr = dr or (LATENCY[tier].default_dr if tier else None)
    lines = [
        f"# Environment {name}. Uncomment what should differ. `opsctl env show {name}` prints",
        f"# every value and where it came from, `opsctl env check {name}` what is wrong.",
        "# Secrets never stand here: opsctl generates and keeps them.",
        "config:",
        f"  {NAMESPACE}:format: {FORMAT}",
    ]
    if extends is not None:
        lines += [
            f"  # All that is not written here is as in Pulumi.{extends}.yaml.",
            f"  {NAMESPACE}:extends: {_text(extends)}",
        ]
    chosen = {"tier": tier, "dr": dr, "target": target}
    for field in CHOSEN:
        value = chosen[field]
        lines.append(f"  # {_meaning(Environment, field)}: {', '.join(_choices(field))}")
        lines.append(f"  {'# ' if value is None else ''}{NAMESPACE}:{field}: {value or '...'}")
    if allow_unmet:
        lines += [f"  # {_meaning(Environment, 'allow_unmet')}", f"  {NAMESPACE}:allow-unmet: true"]
    skip = {"name", *CHOSEN} | ({"allow_unmet"} if allow_unmet else set())
    for field in Environment.model_fields:
        if field not in skip:
            lines += ["", *_commented(field)]
    return "\n".join(lines) + "\n"


def _commented(field: str) -> Iterator[str]:
    """Yield a setting with its default, commented out."""
    default = Environment.model_fields[field].default
    yield f"  # {_meaning(Environment, field)}"
    if isinstance(default, BaseModel):
        yield f"  # {NAMESPACE}:{key_of(field)}:"
        for key in type(default).model_fields:
            value = getattr(default, key)
            yield f"  #   {key}: {_shown(value)}  # {_meaning(type(default), key)}"
    else:
        yield f"  # {NAMESPACE}:{key_of(field)}: {_shown(default)}"


def _meaning(model: type[BaseModel], field: str) -> str:
    return model.model_fields[field].description or ""


def _choices(field: str) -> tuple[str, ...]:
    return tuple(getattr(Environment.model_fields[field].annotation, "__members__", {}).values())


def _shown(value: object) -> str:
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, Mapping):
        return "{}" if not value else _text(dict(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return _text(list(value))
    return str(value) or '""'


def _text(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("...\n").strip()
