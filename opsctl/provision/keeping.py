"""The last audit of each machine, and what is different since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from opsctl.deploy.files import remove, write_whole
from opsctl.model.profile.judge import Change, drift
from opsctl.model.profile.profile import Finding
from opsctl.provision import places
from opsctl.provision.results import Result

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


def since(last: Kept | None, findings: Sequence[Finding]) -> tuple[Change, ...]:
    """Return what is different since the last audit; nothing where there was none."""
    return drift(last.findings, findings) if last is not None else ()


def forget(machine_id: str) -> None:
    """Forget the audit of a machine that was given back."""
    remove(places.of_machine(machine_id) / "audit.json")
