"""The commands that the README shows do what it says, in its order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.e2e.conftest import Deployed

README = Path(__file__).parents[3] / "README.md"


def commands() -> list[list[str]]:
    """Return the words of every `opsctl` line of the README's code blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("opsctl ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_every_command_works(daily: Deployed) -> None:
    shown = commands()
    assert len(shown) > 5
    for words in shown:
        if words[0] == "destroy":
            continue  # the fixture's last act, for every test of this folder
        done = daily.run(*words)
        assert done.stdout.strip(), f"opsctl {' '.join(words)} printed nothing"
        if words[0] == "halt":
            daily.run("resume", words[1])


def test_commands_end_with_taking_the_environment_away() -> None:
    assert commands()[-1] == ["destroy", "daily", "--yes"]
