"""The report of a drill, as Markdown and as HTML: made of the recorded run alone."""

from __future__ import annotations

from pathlib import Path

from opsctl.drills.outcome import Drilled
from opsctl.drills.recording.files import REPORT_HTML, REPORT_MD
from opsctl.drills.recording.writing import Recording
from opsctl.drills.reporting import content, html, markdown
from opsctl.drills.timeline import Timeline


def reported(recording: Recording, told: Timeline, found: Drilled) -> Drilled:
    """Seal the recorded run and write its reports; return the facts with their path and hash."""
    evidence = recording.end(found, told.entries())
    write(recording.folder)
    return found.model_copy(
        update={"report": str(recording.folder / REPORT_MD), "evidence": evidence}
    )


def write(folder: Path) -> tuple[Path, Path]:
    """Make both reports of a recorded run; return their paths.

    Made again, they are the same, byte for byte.
    """
    document = content.document(folder)
    texts = {REPORT_MD: markdown.render(document), REPORT_HTML: html.render(document)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / REPORT_MD, folder / REPORT_HTML
