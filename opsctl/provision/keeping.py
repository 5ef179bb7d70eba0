"""The last audit of each machine, and what is different since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import ValidationError

from opsctl.deploy.files import remove, write_whole
from opsctl.model.profile.profile import Finding
from opsctl.provision import places
from opsctl.provision.results import Result, Since

FORMAT = 1


class Kept(Result):
    """An audit of one machine, as it is kept until the next."""

    format: int = FORMAT
    at: datetime
    run: str
    host: str
    profile: str
    digest: str
    findings: tuple[Finding, ...]


def before(machine_id: str) -> Kept | None:
    """Return the last audit of a machine; None where none was kept, or by another release."""
    try:
        text = (places.of_machine(machine_id) / "audit.json").read_text(encoding="utf-8")
        found = Kept.model_validate_json(text)
    except (OSError, ValidationError):
        return None
    return found if found.format == FORMAT else None


def keep(machine_id: str, audit: Kept) -> None:
    """Keep an audit of a machine in the place of the one before."""
    write_whole(places.of_machine(machine_id) / "audit.json", audit.model_dump_json() + "\n")


def since(last: Kept | None, findings: Iterable[Finding]) -> tuple[Since, ...]:
    """Return the findings that are not what they were, of settings that were audited then."""
    if last is None:
        return ()
    old = {finding.setting: finding for finding in last.findings}
    return tuple(
        Since(
            setting=now.setting,
            before=old[now.setting].got,
            got=now.got,
            verdict=now.verdict,
        )
        for now in findings
        if now.setting in old
        and (now.got, now.verdict) != (old[now.setting].got, old[now.setting].verdict)
    )


def forget(machine_id: str) -> None:
    """Forget the audit of a machine that was given back."""
    remove(places.of_machine(machine_id) / "audit.json")
