"""The documentation is whole: every link leads somewhere, every command is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opsctl.cli.main import COMMANDS

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("command", [entry.name for entry in COMMANDS])
def test_every_command_is_in_the_docs(command: str) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert re.search(rf"opsctl {command}\b", text), f"no page shows `opsctl {command}`"


def test_readme_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"^opsctl ([a-z]+)", (REPOSITORY / "README.md").read_text(), re.M))
    assert named
    assert named <= {entry.name for entry in COMMANDS}
