"""What of a run goes into the evidence log, and what into its folder.

The log is read whole by every command that checks it: of fifty boxes with two hundred settings
each it holds the verdicts, and what does not hold by name. The result as it was printed lies in
the run's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opsctl.deploy.files import write_whole
from opsctl.provision.results import Audited, Held, Provisioned, held

FILE = "result.json"


def keep(found: Audited | Provisioned, folder: Path) -> dict[str, object]:
    """Write a result whole into the folder of its run, and return what the log is to hold."""
    write_whole(folder / FILE, found.model_dump_json(indent=2) + "\n")
    return audited(found) if isinstance(found, Audited) else provisioned(found)


def audited(found: Audited) -> dict[str, object]:
    """Return the verdict of each box, what does not hold, and what changed."""
    return {
        "verdict": found.verdict,
        "hosts": [
            {
                "host": host.host,
                "machine_id": host.machine_id,
                "profile": host.profile,
                "digest": host.digest,
                **_held(held(host.findings)),
                "verdict": host.verdict,
                "changed": [change.setting for change in host.since],
                "latency": {figure.name: figure.measured for figure in host.latency},
                "failure": str(host.failure) if host.failure else "",
            }
            for host in found.hosts
        ],
    }


def provisioned(found: Provisioned) -> dict[str, object]:
    """Return what became of each box: what held before, and after."""
    return {
        "mode": found.mode,
        "hosts": [
            {
                "host": host.host,
                "machine_id": host.machine_id,
                "profile": host.profile,
                "digest": host.digest,
                "outcome": host.outcome,
                "before": _held(host.before),
                "after": _held(host.after),
                "applied": list(host.applied),
                "failure": str(host.failure) if host.failure else "",
            }
            for host in found.hosts
        ],
    }


def _held(found: Held | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "verdict": found.verdict,
        "counts": {verdict.value: count for verdict, count in found.counts.items()},
        "not_holding": [finding.setting for finding in found.not_holding],
    }
