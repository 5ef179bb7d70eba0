"""Writes the generated part of docs/guardrails.md from the catalogue of rules.

python -m tests.support.guardrails --write
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from opsctl.infra.guardrails import prices
from opsctl.infra.guardrails.catalogue import RULES, THEMES
from opsctl.infra.guardrails.rule import Rule
from tests.support import generated

PAGE = generated.DOCS / "guardrails.md"
MARK = "<!-- From here on written by `make docs` from opsctl/infra/guardrails. -->\n"


def page(current: str) -> str:
    """Return the page: its head as a person wrote it, and what the catalogue says."""
    return generated.below(MARK, current, _generated())


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


if __name__ == "__main__":
    sys.exit(generated.main(PAGE, page))
