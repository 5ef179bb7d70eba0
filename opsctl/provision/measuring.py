"""`opsctl audit host --latency`: counts what disturbs the trading CPUs, beside the last time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from opsctl.deploy.files import write_whole
from opsctl.model.profile import cpus
from opsctl.provision import places
from opsctl.provision.failing import Failure, failure
from opsctl.provision.latency import Figure, Measured, judge
from opsctl.provision.playing import answers
from opsctl.provision.reading import Seen
from opsctl.provision.session import Session

MEASURE = "measure.yml"
SECONDS = 5


def measure(session: Session, seen: Mapping[str, Seen]) -> dict[str, tuple[Figure, ...]]:
    """Measure boxes, all at once; return the figures of each against its bound.

    One that fails is a failure of the session. A box without trading CPUs has no figures.
    """
    boxes = {name: one for name, one in seen.items() if one.profile.layout.trading}
    if not boxes:
        return {}
    for name in boxes:
        session.progress.stage(name, "measure")
    played = session.run(
        MEASURE,
        {
            name: {
                "opsctl_cpus": cpus.listed(one.profile.layout.trading),
                "opsctl_seconds": SECONDS,
            }
            for name, one in boxes.items()
        },
    )
    found: dict[str, tuple[Figure, ...]] = {}
    for name, one in boxes.items():
        if name in played.failures:
            session.failed({name: failure("measure", played.failures[name], one.host)})
            continue
        answer = answers(played.results.get(name, ()), ("cpus", "lacks"))
        try:
            known = {key: (answer or {}).get(key) for key in Measured.model_fields}
            measured = Measured.model_validate(known)
        except ValidationError as error:
            session.failed({name: _unlike(error)})
            continue
        machine = one.box.machine_id
        found[name] = judge(measured, one.profile.tier, one.box.virtual, _before(machine))
        write_whole(_file(machine), measured.model_dump_json() + "\n")
    return found


def _file(machine_id: str) -> Path:
    return places.of_machine(machine_id) / "latency.json"


def _before(machine_id: str) -> Measured | None:
    try:
        return Measured.model_validate_json(_file(machine_id).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _unlike(error: ValidationError) -> Failure:
    return Failure(
        stage="measure",
        message=f"what was measured cannot be understood: {error.errors()[0]['msg']}",
        hint="opsctl and its playbooks must be of one release",
    )
