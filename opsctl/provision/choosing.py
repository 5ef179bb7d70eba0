"""Which profile a box is to hold: that of its tier, or one of the firm's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opsctl import environments
from opsctl.errors import OpsctlError, UsageError
from opsctl.model.explain import meant
from opsctl.model.profile import own, resolve
from opsctl.model.profile.box import Ask, Box, Reading
from opsctl.model.profile.own import Own
from opsctl.model.profile.profile import Profile
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value
from opsctl.provision.inventory import BoxHost

FOLDER = Path("site") / "profiles"
"""Of the firm's own profiles, beside its environment files."""


class Chosen(Value):
    """The profile that a box is to hold, before it is known what the box is."""

    name: str
    tier: LatencyTier
    own: Own | None = None


def chosen(host: BoxHost, name: str | None) -> Chosen:
    """Return the profile of a box: the one that is named, its own of the inventory, its tier's.

    Raises:
        UsageError: there is no such profile, it has faults, or the box is of no tier.
    """
    wanted = name or host.profile or (host.tier.value if host.tier else "")
    if not wanted:
        raise UsageError(
            f"{host.name} is in no tier's group, so that its profile is not known",
            hint=f"write it under one of {', '.join(LatencyTier)} in the inventory, "
            "or name a profile: --profile NAME",
        )
    return named(wanted)


def named(name: str) -> Chosen:
    """Return a profile: a tier's, or one of the firm's own.

    Raises:
        UsageError: there is no such profile, or it has faults.
    """
    if name in set(LatencyTier):
        return Chosen(name=name, tier=LatencyTier(name))
    firm = _own(name)
    return Chosen(name=name, tier=firm.extends, own=firm)


def asks(box: Box, profile: Chosen) -> tuple[Ask, ...]:
    """Return what is to be read of a box for its profile; raises as `resolved` does."""
    try:
        return resolve.asks(box, profile.tier, own=profile.own, name=profile.name)
    except Unfit as refused:
        raise _refused(box, profile, refused) from refused


def options() -> tuple[str, ...]:
    """Return the options of kernels that settings name."""
    return resolve.options()


def resolved(box: Box, profile: Chosen, readings: Sequence[Reading]) -> Profile:
    """Return what a box is to hold.

    Raises:
        OpsctlError: the box cannot have it; the details are the reasons.
    """
    try:
        return resolve.profile_for(
            box, profile.tier, own=profile.own, name=profile.name, readings=readings
        )
    except Unfit as refused:
        raise _refused(box, profile, refused) from refused


def _own(name: str) -> Own:
    folder = environments.project().folder / FOLDER
    there = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
    if name not in there:
        every = (*LatencyTier, *there)
        near = meant(name, every)
        raise UsageError(
            f"there is no profile {name}",
            hint=f"did you mean {near}?" if near else f"there are {', '.join(every)}",
        )
    path = folder / f"{name}.yaml"
    try:
        return own.read(name, path.read_text(encoding="utf-8"), str(FOLDER / path.name))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="is it text in UTF-8?") from error
    except Unfit as refused:
        count = len(refused.faults)
        raise UsageError(
            f"profile {name} has {count} fault{'s' if count > 1 else ''}",
            details=[str(fault) for fault in refused.faults],
            hint=f"correct {path}; nothing was run",
        ) from refused


def _refused(box: Box, profile: Chosen, refused: Unfit) -> OpsctlError:
    return OpsctlError(
        f"{box.hostname} cannot have profile {profile.name}",
        details=[str(fault) for fault in refused.faults],
        hint="nothing was changed; another profile may fit: --profile NAME",
    )
