"""The workflow files of CI, read as CI reads them: jobs, their variables, their steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


@dataclass(frozen=True)
class Job:
    """A job of a workflow, as it is written."""

    workflow: str
    name: str
    text: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Its steps."""
        return list(self.text["steps"])

    def variables(self, **known: str) -> dict[str, str]:
        """Return its variables, each expression replaced by what is known of it; KeyError else."""
        return {
            name: _EXPRESSION.sub(lambda found: known[found[1].replace(".", "_")], str(value))
            for name, value in self.text.get("env", {}).items()
        }


def workflow(path: Path) -> dict[str, Any]:
    """Return a file; `on`, which YAML 1.1 takes for true, by its name."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else str(key)): value for key, value in found.items()}


def jobs(path: Path) -> list[Job]:
    """Return the jobs of a file."""
    return [Job(path.stem, name, text) for name, text in workflow(path)["jobs"].items()]
