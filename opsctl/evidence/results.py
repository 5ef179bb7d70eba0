"""The results of `opsctl evidence`: a contract, with schemas in `opsctl.schemas`."""

from __future__ import annotations

from typing import Literal

from opsctl.evidence.chain import Finding
from opsctl.evidence.line import Line
from opsctl.model.value import Value


class Lines(Value):
    """The result of `opsctl evidence list`, the newest line last."""

    lines: tuple[Line, ...]
    total: int
    """How many lines the filters let through; `limit` may have cut them."""


class Shown(Value):
    """The result of `opsctl evidence show`: one line, and what its run left."""

    line: Line
    files: tuple[str, ...]
    """The files of the run's folder, relative to it; empty where it is gone."""


class SignatureState(Value):
    """What the newest signature over the head says."""

    state: Literal["good", "bad", "none"]
    index: int | None
    """The line that it covers, with all before it."""
    signer: str
    detail: str


class AnchorState(Value):
    """What the anchor says: compared, not asked for, or none there."""

    state: Literal["compared", "not asked", "none"]
    index: int | None
    where: str
    detail: str


class Checked(Value):
    """The result of `opsctl evidence verify`."""

    log: str
    lines: int
    head: str
    verdict: Literal["passed", "failed"]
    findings: tuple[Finding, ...]
    signature: SignatureState
    anchor: AnchorState
    notes: tuple[str, ...]
    """What is not known, and why: no signature, no anchor, a torn line."""
