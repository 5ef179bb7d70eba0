"""Writes the generated part of docs/guardrails.md from the catalogue of rules.

python -m tests.support.guardrails --write
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from opsctl.infra.guardrails import prices
from opsctl.infra.guardrails.catalogue import RULES, THEMES
from opsctl.infra.guardrails.rule import Rule

PAGE = Path(__file__).parents[2] / "docs" / "guardrails.md"
MARK = "<!-- From here on written by `make docs` from opsctl/infra/guardrails. -->\n"


def page(current: str) -> str:
    """Return the page: its head as a person wrote it, and what the catalogue says."""
    head, mark, _ = current.partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE.name} has lost its mark: {MARK.strip()}")
    return head + mark + "\n".join(_generated()) + "\n"


def _generated() -> Iterator[str]:
    yield from ("", "## Every rule", "", f"{len(RULES)} rules.")
    for theme, rules in THEMES.items():
        yield from ("", f"### {theme}", "")
        yield from _table(rules)
    yield from ("", "## What the prices are", "")
    yield f"List prices as of {prices.AS_OF}, from:"
    yield ""
    for source in prices.SOURCES:
        title, _, address = source.rpartition(": ")
        yield f"- [{title}]({address})"
    yield ""
    yield f"Families of instances: {_names(prices.FAMILIES)}."
    yield f"Classes of databases: {_names(prices.DATABASES)}."
    yield f"Volumes: {_names(prices.GIB_MONTH)}. Regions: {_names(prices.REGIONS)}."


def _names(names: Sequence[str] | dict[str, float]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(rules: Sequence[Rule]) -> Iterator[str]:
    yield "| rule | holds where | otherwise | why | to comply |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        title, _, address = rule.source.rpartition(": ")
        why = f"{_cell(rule.why)} [{_cell(title)}]({address})"
        otherwise = f"{rule.severity}" + ("" if rule.waivable else ", never waived")
        yield (
            f"| `{rule.id}` | {_cell(rule.title)} | {otherwise} | {why} | {_cell(rule.comply)} |"
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page with `--write`, else say whether it is current."""
    current = PAGE.read_text()
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(current))
        return 0
    if current != page(current):
        print("docs/guardrails.md is not current: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
