"""What became of an environment as Markdown, for the page that CI shows of a job. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.ephemeral.outcome import Up
from opsctl.health.latency import in_words
from opsctl.health.verify import Verification
from opsctl.model.ephemeral import shown

LOG_LINES = 40


def markdown(found: Up) -> str:
    """Return the summary; ends with a line feed, so that others may follow it in one file."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Up) -> Iterator[str]:
    yield f"## Environment `{found.environment}`: {found.verdict}"
    yield ""
    yield (
        f"Made from `{found.base}` (tier {found.tier}, dr {found.dr}) on target {found.target}, "
        f"of {_cell(found.owner)}, until {shown(found.expires)}. "
        + ("**It still stands.**" if found.left else "Nothing of it is left.")
    )
    yield ""
    yield "| step | verdict | seconds | | evidence |"
    yield "|---|---|---:|---|---|"
    for step in found.steps:
        run = f"`{step.run}`" if step.run else ""
        yield (
            f"| {step.name} | {step.verdict} | {step.duration_s:.1f} | {_cell(step.detail)} "
            f"| {run} |"
        )
    if found.verification is not None:
        yield from _verified(found.verification)
    if found.error:
        yield from ("", f"**{_cell(found.error)}**")
        if found.details:
            yield from ("", "```", *found.details[-LOG_LINES:], "```")
        if found.hint:
            yield from ("", f"Next: {_cell(found.hint)}")
    yield ""


def _verified(found: Verification) -> Iterator[str]:
    whole = found.latency
    yield from ("", f"Tier {found.tier}: {found.verdict}.", "")
    yield "| tick to order | measured | budget |"
    yield "|---|---:|---:|"
    for name, us in (("p50", whole.p50_us), ("p99", whole.p99_us), ("max", whole.max_us)):
        measured = in_words(us) if us is not None else "not measured"
        yield f"| {name} | {measured} | {in_words(whole.budget_us)} |"
    failed = [check for check in found.checks if check.verdict == "failed"]
    if failed:
        yield from ("", "Failed checks:", "")
        yield from (f"- `{check.name}`: {_cell(check.detail)}" for check in failed)
    if found.rehearsal:
        yield from ("", f"A rehearsal: {_cell(found.rehearsal)}")


def _cell(text: str) -> str:
    """Return a text that breaks no table and makes no markup."""
    flat = " ".join(text.split())
    for letter in "\\|<>*`":
        flat = flat.replace(letter, f"\\{letter}")
    return flat
