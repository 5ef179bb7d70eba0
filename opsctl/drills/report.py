"""The report of a drill, as Markdown and as HTML: made of the recorded run alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import RootModel

from opsctl.drills.outcome import Drilled, Series, Verdict
from opsctl.drills.period import Period
from opsctl.drills.recording import repeated
from opsctl.drills.recording.files import REPORT_HTML, REPORT_MD
from opsctl.drills.recording.identified import Identified, identified
from opsctl.drills.reporting import content, html, markdown, year
from opsctl.drills.reporting.document import Document
from opsctl.model.value import Value

if TYPE_CHECKING:
    from opsctl.drills.recording.writing import Recording
    from opsctl.drills.timeline import Timeline

SERIES_MD, SERIES_HTML = "series.md", "series.html"


def reported(recording: Recording, told: Timeline, found: Drilled) -> Drilled:
    """Seal the recorded run and write its reports; return the facts with their path and hash."""
    evidence = recording.end(found, told.entries())
    write(recording.folder)
    return found.model_copy(
        update={"report": str(recording.folder / REPORT_MD), "evidence": evidence}
    )


class Remade(Identified):
    """The reports of a recorded run, made again."""

    kind: Literal["run"] = "run"
    markdown: str
    html: str


class RemadeSeries(Value):
    """The reports of a series, made again from its recorded runs."""

    kind: Literal["series"] = "series"
    runs: tuple[str, ...]
    scenario: str
    environment: str
    verdict: Verdict
    changed: tuple[str, ...]
    """What is not as it was sealed."""
    markdown: str
    html: str


class Result(RootModel[Remade | RemadeSeries | Period]):
    """What `drill report` answers with: a run's or a series' reports, or those of a period."""


def document(folder: Path) -> Document:
    """Return the report of a recorded run; raises `OpsctlError` where the folder holds none."""
    return content.document(folder, identified(folder)["changed"])


def remade(folder: Path) -> Remade:
    """Make both reports of a recorded run again; raises `OpsctlError`."""
    known = identified(folder)
    whole = content.document(folder, known["changed"])
    as_markdown, as_html = map(str, _rendered(whole, folder, REPORT_MD, REPORT_HTML))
    return Remade.model_validate(known | {"markdown": as_markdown, "html": as_html})


def series(found: Series, folder: Path) -> Series:
    """Write the report of a drill that was repeated; return the series with its path.

    Which runs it consists of is noted, so that the report can be made again from them.
    """
    repeated.note(found, folder)
    markdown_at, _ = _rendered(year.of_series(found), folder, SERIES_MD, SERIES_HTML)
    return found.model_copy(update={"report": str(markdown_at)})


def series_document(folder: Path) -> Document:
    """Return the report of the series that ended with a recorded run; raises `OpsctlError`."""
    return year.of_series(repeated.series(folder)[0])


def series_remade(folder: Path) -> RemadeSeries:
    """Make both reports of a series again from its recorded runs; raises `OpsctlError`."""
    found, changed = repeated.series(folder)
    paths = _rendered(year.of_series(found), folder, SERIES_MD, SERIES_HTML)
    return RemadeSeries(
        runs=tuple(run.id for run in found.runs),
        scenario=found.scenario,
        environment=found.environment,
        verdict=found.verdict,
        changed=changed,
        markdown=str(paths[0]),
        html=str(paths[1]),
    )


def write(folder: Path) -> tuple[Path, Path]:
    """Make both reports of a recorded run; return their paths.

    Made again, they are the same, byte for byte.
    """
    return _rendered(document(folder), folder, REPORT_MD, REPORT_HTML)


def _rendered(whole: Document, folder: Path, *names: str) -> tuple[Path, Path]:
    as_markdown, as_html = (folder / name for name in names)
    as_markdown.write_text(markdown.render(whole), encoding="utf-8")
    as_html.write_text(html.render(whole), encoding="utf-8")
    return as_markdown, as_html
