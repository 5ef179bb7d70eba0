"""The report of an audit as one HTML file, in the form of the drills' reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from opsctl.drills.reporting import html
from opsctl.drills.reporting.document import Block, Document, Folded, Heading, Table, Text
from opsctl.model.profile.profile import Finding, Verdict
from opsctl.provision.results import Audited, AuditedHost

FILE = "audit.html"
_COLOURS = {"holds": "passed", "drifted": "failed", "failed": "failed"}
_HEAD = ("setting", "wanted", "read", "verdict", "why")


def write(found: Audited, folder: Path) -> Audited:
    """Write the report into the folder of a run, and return the result that names it."""
    path = folder / FILE
    path.write_text(html.render(document(found)), encoding="utf-8")
    return found.model_copy(update={"report": str(path)})


def document(found: Audited) -> Document:
    """Return the report."""
    counts = Counter(finding.verdict for host in found.hosts for finding in host.findings)
    shown = {verdict.value.replace("_", " "): str(counts[verdict]) for verdict in Verdict}
    cards = [("boxes", str(len(found.hosts))), *shown.items()]
    when = f"{found.at:%Y-%m-%dT%H:%M:%SZ}"
    said = f"Run {found.run} of {when}, {found.duration_s:.1f} s; inventory {found.inventory}."
    blocks = (Text(said), *(block for host in found.hosts for block in _of_host(host)))
    return Document(
        title=f"Audit of {len(found.hosts)} box{'es' if len(found.hosts) != 1 else ''}",
        verdict=_COLOURS.get(found.verdict, found.verdict),
        blocks=blocks,
        cards=cards,
    )


def _of_host(host: AuditedHost) -> Iterator[Block]:
    yield Heading(f"{host.host}: {host.verdict}")
    if host.failure is not None:
        yield Text(str(host.failure), strong=True)
        yield Text(host.failure.hint)
        return
    yield Text(
        f"Profile {host.profile}, digest {host.digest[:12]}; machine {host.machine_id}, "
        f"kernel {host.kernel}."
    )
    wrong = [f for f in host.findings if f.verdict not in (Verdict.HOLDS, Verdict.NOT_APPLICABLE)]
    if wrong:
        yield _table(wrong)
    if host.audited_before is not None:
        yield Text(
            f"{len(host.since) or 'Nothing'} changed since the audit of "
            f"{host.audited_before:%Y-%m-%dT%H:%M:%SZ}."
        )
    if host.since:
        rows = tuple(
            (s.setting, s.got_before, s.got_after, s.after.value if s.after else "not judged")
            for s in host.since
        )
        yield Table(("setting", "read then", "read now", "verdict"), rows)
    if host.latency:
        yield Table(
            ("counted on trading CPUs", "measured", "bound", "before", "", ""), _latency(host)
        )
    rest = [f for f in host.findings if f not in wrong]
    if rest:
        title = f"{len(rest)} that hold or do not apply"
        yield Folded(title, f"rest-{host.host}", (_table(rest),))


def _table(findings: list[Finding]) -> Table:
    rows = tuple((f.setting, f.want, f.got, f.verdict.value, f.detail) for f in findings)
    return Table(_HEAD, rows)


def _latency(host: AuditedHost) -> tuple[tuple[str, ...], ...]:
    def said(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    return tuple(
        (f.name, said(f.measured), said(f.bound), said(f.before), f.judgement.value, f.detail)
        for f in host.latency
    )
