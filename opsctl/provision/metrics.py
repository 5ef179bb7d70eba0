"""What an audit found as metrics: a file for the textfile collector of node_exporter."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.model.profile.profile import Verdict
from opsctl.provision.results import Audited, AuditedHost

HOLDS = "opsctl_box_setting_holds"
DRIFTED = "opsctl_box_drifted_settings"
WAITING = "opsctl_box_settings_awaiting_reboot"
AUDITED = "opsctl_box_audited"
AT = "opsctl_box_audit_timestamp_seconds"

_HELP = {
    HOLDS: "Whether a setting holds: 1, or 0; what does not apply has none.",
    DRIFTED: "How many settings are not as the box's profile wants them, or cannot be read.",
    WAITING: "How many settings hold after the next reboot.",
    AUDITED: "Whether the last audit could read the box.",
    AT: "When the last audit was, since 1970.",
}
MODE = 0o644
"""Others read it: the collector is not the one who audits."""


def text(found: Audited) -> str:
    """Return the metrics of an audit in Prometheus's text format."""
    lines: dict[str, list[str]] = {name: [] for name in _HELP}
    for host in found.hosts:
        for name, labels, value in _of_host(host):
            lines[name].append(f"{name}{{{labels}}} {value}")
        lines[AT].append(f'{AT}{{host="{_escaped(host.host)}"}} {found.at.timestamp():.0f}')
    return "".join(
        f"# HELP {name} {said}\n# TYPE {name} gauge\n"
        + "".join(f"{line}\n" for line in lines[name])
        for name, said in _HELP.items()
        if lines[name]
    )


def write(found: Audited, path: Path) -> None:
    """Write the metrics whole or not at all: a collector may read at any moment.

    Raises:
        OpsctlError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text(found), encoding="utf-8")
        draft.chmod(MODE)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OpsctlError(
            f"the metrics cannot be written to {path}: {error.strerror}",
            hint="name a file in the folder that node_exporter reads: "
            "--collector.textfile.directory",
        ) from error


def _of_host(host: AuditedHost) -> Iterator[tuple[str, str, int]]:
    named = f'host="{_escaped(host.host)}"'
    yield AUDITED, named, int(host.failure is None)
    if host.failure is not None:
        return
    wrong = waiting = 0
    for finding in host.findings:
        if finding.verdict is Verdict.NOT_APPLICABLE:
            continue
        wrong += finding.verdict in (Verdict.DRIFTED, Verdict.UNREADABLE)
        waiting += finding.verdict is Verdict.REBOOT
        labels = f'{named},setting="{_escaped(finding.setting)}"'
        yield HOLDS, labels, int(finding.verdict is Verdict.HOLDS)
    yield DRIFTED, named, wrong
    yield WAITING, named, waiting


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
