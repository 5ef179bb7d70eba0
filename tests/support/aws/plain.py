"""Plain `pulumi` on a project of a test's: the real engine, our provider, our language host."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from opsctl.toolchain import programs
from tests.support.aws.faults import Faults
from tests.support.aws.language import language_folder
from tests.support.aws.plugin import provider_folder
from tests.support.aws.server import AwsServer
from tests.support.process import Process


class PlainPulumi:
    """A project in a folder with its state beside it, and the `pulumi` that works on it."""

    def __init__(self, home: Path, server: AwsServer, program: str) -> None:
        """Write the project; its stack `test` is made at once."""
        self.home, self.server = home, server
        self.faults = Faults(home / "faults")
        self.project = home / "project"
        self.project.mkdir(parents=True)
        (home / "state").mkdir()
        (self.project / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        self.write(program)
        self.run("stack", "init", "test", "--non-interactive")

    def write(self, program: str) -> None:
        """Put another program in place of the former."""
        (self.project / "__main__.py").write_text(textwrap.dedent(program))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the engine: nothing outside the test's folder is touched."""
        engine = programs.path("pulumi", "pulumi")
        runner = programs.path("pulumi", "pulumi-language-python-exec")
        folders = (engine.parent, provider_folder(self.home), language_folder(self.home, runner))
        return {
            **os.environ,
            **self.server.environment,
            **self.faults.environment,
            "PATH": os.pathsep.join((*map(str, folders), os.environ["PATH"])),
            "PULUMI_HOME": str(self.home / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{self.home / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def command(self, *words: str) -> list[str]:
        """Return a command of the engine's."""
        stack = () if words[:2] == ("stack", "init") else ("--stack", "test")
        return [str(programs.path("pulumi", "pulumi")), *words, *stack, "--color", "never"]

    def run(self, *words: str, expect: int = 0) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == expect, f"{' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, *words: str) -> Process:
        """Start a command that the test will end."""
        script = Process(self.command(*words), self.project / "log", env=self.environment)
        script.behind("env", "--chdir", str(self.project))
        script.start()
        return script

    def up(self, expect: int = 0) -> str:
        """Make what the program declares."""
        return self.run("up", "--yes", "--skip-preview", expect=expect)

    def planned(self) -> dict[str, tuple[str, list[str]]]:
        """Return what an update would do: by name the operation and the paths that differ."""
        printed = self.run("preview", "--json")
        return {
            one["urn"].rpartition("::")[2]: (one["op"], sorted(one.get("detailedDiff") or {}))
            for one in json.loads(printed[printed.index("{") :])["steps"]
            if one["op"] != "same"
        }

    def state(self) -> dict[str, Any]:
        """Return what the engine's state has: resources by name, and pending operations."""
        found: dict[str, Any] = json.loads(self.run("stack", "export"))["deployment"]
        return found

    def recorded(self) -> list[str]:
        """Return the names of the resources in the state that a provider made."""
        return sorted(
            one["urn"].rpartition("::")[2]
            for one in self.state().get("resources") or []
            if one["custom"] and not one["type"].startswith("pulumi:")
        )
