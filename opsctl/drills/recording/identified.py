"""What identifies a recorded run, in every answer that is about one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opsctl.drills.outcome import Verdict
from opsctl.drills.recording import files, reading
from opsctl.model.value import Value


class Identified(Value):
    """A recorded run, and whether it is as it was sealed."""

    run: str
    scenario: str
    environment: str
    verdict: Verdict
    evidence: str
    """The SHA-256 of its manifest."""
    changed: tuple[str, ...]
    """What is not as it was sealed."""


def identified(folder: Path) -> dict[str, Any]:
    """Return what identifies the run of a folder; raises `OpsctlError` where it holds none."""
    found = reading.facts(folder)
    return {
        "run": found.id,
        "scenario": found.scenario,
        "environment": found.environment,
        "verdict": found.verdict,
        "evidence": files.evidence_of(folder),
        "changed": tuple(files.changed(folder, files.manifest(folder))),
    }
