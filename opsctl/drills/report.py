"""The report of a drill, as Markdown and as HTML: made of the recorded run alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import RootModel

from opsctl.drills.outcome import Drilled, Series, Verdict
from opsctl.drills.period import Period
from opsctl.drills.recording import files, reading
from opsctl.drills.recording.files import REPORT_HTML, REPORT_MD
from opsctl.drills.recording.writing import Recording
from opsctl.drills.reporting import content, html, markdown, year
from opsctl.drills.reporting.document import Document
from opsctl.drills.timeline import Timeline
from opsctl.model.value import Value

SERIES_MD, SERIES_HTML = "series.md", "series.html"


def reported(recording: Recording, told: Timeline, found: Drilled) -> Drilled:
    """Seal the recorded run and write its reports; return the facts with their path and hash."""
    evidence = recording.end(found, told.entries())
    write(recording.folder)
    return found.model_copy(
        update={"report": str(recording.folder / REPORT_MD), "evidence": evidence}
    )


class Remade(Value):
    """The reports of a recorded run, made again."""

    kind: Literal["run"] = "run"
    run: str
    scenario: str
    environment: str
    verdict: Verdict
    evidence: str
    """The SHA-256 of its manifest."""
    changed: tuple[str, ...]
    """What is not as it was sealed."""
    markdown: str
    html: str


class Result(RootModel[Remade | Period]):
    """What `drill report` answers with: a run's reports, or the drills of a period."""


def document(folder: Path) -> Document:
    """Return the report of a recorded run; raises `OpsctlError` where the folder holds none."""
    return content.document(folder)


def remade(folder: Path) -> Remade:
    """Make both reports of a recorded run again; raises `OpsctlError`."""
    found = reading.facts(folder)
    paths = write(folder)
    return Remade(
        run=found.id,
        scenario=found.scenario,
        environment=found.environment,
        verdict=found.verdict,
        evidence=files.evidence_of(folder),
        changed=tuple(files.changed(folder, files.manifest(folder))),
        markdown=str(paths[0]),
        html=str(paths[1]),
    )


def series(found: Series, folder: Path) -> Series:
    """Write the report of a drill that was repeated; return the series with its path."""
    whole = year.of_series(found)
    (folder / SERIES_HTML).write_text(html.render(whole), encoding="utf-8")
    (folder / SERIES_MD).write_text(markdown.render(whole), encoding="utf-8")
    return found.model_copy(update={"report": str(folder / SERIES_MD)})


def write(folder: Path) -> tuple[Path, Path]:
    """Make both reports of a recorded run; return their paths.

    Made again, they are the same, byte for byte.
    """
    document = content.document(folder)
    texts = {REPORT_MD: markdown.render(document), REPORT_HTML: html.render(document)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / REPORT_MD, folder / REPORT_HTML
