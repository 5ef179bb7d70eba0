"""The command line as a whole: every command keeps its contract, every error its form."""

from __future__ import annotations

import importlib
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from opsctl.cli.main import COMMANDS, Entry, load
from opsctl.errors import (
    DeployFailed,
    Interrupted,
    Locked,
    ObjectiveMissed,
    OpsctlError,
    ToolMissing,
    UsageError,
)
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget

ON_ENVIRONMENTS = [e.name for e in COMMANDS if e.panel in ("Environments", "Running")]
ON_ONE = [name for name in ON_ENVIRONMENTS if name not in ("env", "stack")]
PANELS = ["Environments", "Running", "Recovery", "Machines"]


def _leaves(command: Any, name: str) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [(name, command)]
    return [leaf for word, child in inner.items() for leaf in _leaves(child, f"{name} {word}")]


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
class TestEveryCommand:
    """What holds for each one."""

    def test_its_module_has_an_app(self, entry: Entry) -> None:
        module = importlib.import_module(f"opsctl.cli.{entry.name}")
        assert isinstance(module.app, typer.Typer)

    def test_the_overview_says_what_its_own_help_says(self, entry: Entry) -> None:
        first = str(load(entry.name).help).strip().splitlines()[0]
        assert first == entry.help

    def test_it_has_an_example(self, entry: Entry) -> None:
        for name, leaf in _leaves(load(entry.name), entry.name):
            assert f"opsctl {name}" in str(leaf.epilog), f"no example of opsctl {name}"

    def test_its_results_come_as_json_too(self, entry: Entry) -> None:
        for name, leaf in _leaves(load(entry.name), entry.name):
            flags = {flag for parameter in leaf.params for flag in parameter.opts}
            assert {"--output", "-o"} <= flags, f"opsctl {name} has no --output"

    def test_its_help_is_shown(self, entry: Entry, opsctl: Opsctl) -> None:
        done = opsctl(entry.name, "--help")
        assert (done.code, done.err) == (0, "")
        assert entry.help.split(",")[0].split(" ")[0] in done.out
        assert "Example" in done.out


class TestOverview:
    """`opsctl --help`."""

    def test_it_has_every_command_in_its_panel(self, opsctl: Opsctl) -> None:
        out = opsctl("--help").out
        positions = [out.index(f"─ {panel} ") for panel in PANELS]
        assert positions == sorted(positions)
        for entry in COMMANDS:
            at = out.index(f"│ {entry.name} ")
            panel = max(p for p in positions if p < at)
            assert PANELS[positions.index(panel)] == entry.panel

    def test_a_bare_call_shows_it(self, opsctl: Opsctl) -> None:
        done = opsctl()
        assert done.code == 2
        assert "─ Running ─" in done.out

    @pytest.mark.parametrize("width", [40, 60, 80, 300])
    def test_it_fits_the_terminal(
        self, opsctl: Opsctl, monkeypatch: pytest.MonkeyPatch, width: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        drawn = [line for line in opsctl("--help").out.splitlines() if line[:1] in "╭│╰" and line]
        assert {len(line) for line in drawn} == {max(60, min(100, width))}

    def test_it_is_fast(self) -> None:
        """Less than 4 x `import typer`, in time of a processor: others may work meanwhile."""

        def best_s(*words: str) -> float:
            found = []
            for _ in range(5):
                began = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
                ended = resource.getrusage(resource.RUSAGE_CHILDREN)
                found.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
            return min(found)

        show = "import sys; sys.argv = ['opsctl', '--help']; from opsctl.cli.main import main; "
        shown = best_s("-c", show + "main()")
        assert shown < 4 * best_s("-c", "import typer")

    def test_it_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; sys.argv = ['opsctl', '--help']\n"
            "from opsctl.cli.main import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "heavy = {'rich', 'pydantic', 'boto3', 'aetcd', 'grpc', 'psycopg', 'pandas', 'httpx'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        assert done.stderr.strip() == "[]"


class TestUnknown:
    """What cannot be meant exits 2 and says what could."""

    def test_a_command(self, opsctl: Opsctl) -> None:
        done = opsctl("deply", "daily")
        assert done.code == 2
        assert "Did you mean 'deploy'?" in done.err

    @pytest.mark.parametrize("command", ON_ONE)
    def test_an_environment(self, command: str, opsctl: Opsctl, target: FakeTarget) -> None:
        opsctl.write("Pulumi.research.yaml", "config: {}\n")
        done = opsctl(command, "nowhere")
        assert done.code == 2
        assert "'nowhere'" in done.err
        assert "daily" in done.err
        assert "research" in done.err

    @pytest.mark.parametrize("command", ON_ONE)
    def test_no_environment_at_all(self, command: str, opsctl: Opsctl, target: FakeTarget) -> None:
        done = opsctl(command)
        assert done.code == 2
        assert "daily" in done.err

    @pytest.mark.parametrize("name", ["../../etc", "a/b", ".", "Daily", ""])
    @pytest.mark.parametrize("command", ["destroy", "logs", "halt"])
    def test_what_can_be_no_name_touches_no_folder(
        self, command: str, name: str, opsctl: Opsctl, target: FakeTarget, state: Path
    ) -> None:
        assert opsctl(command, name).code == 2
        assert list(state.iterdir()) == []


def _failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `opsctl plan` fail with an error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("opsctl.environments.load", fail)


class TestErrors:
    """How errors look, and what they exit with."""

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (OpsctlError, 1),
            (Locked, 1),
            (ToolMissing, 1),
            (DeployFailed, 1),
            (Interrupted, 1),
            (UsageError, 2),
            (ObjectiveMissed, 3),
        ],
    )
    def test_a_known_one_has_its_details_and_its_hint(
        self,
        opsctl: Opsctl,
        monkeypatch: pytest.MonkeyPatch,
        kind: type[OpsctlError],
        code: int,
    ) -> None:
        _failing(kind("it broke", hint="mend it", details=["line 1", "line 2"]), monkeypatch)
        done = opsctl("plan", "daily")
        assert (done.code, done.out) == (code, "")
        assert done.err == "error: it broke\n  line 1\n  line 2\n  hint: mend it\n"

    def test_an_unexpected_one_is_one_line_and_a_log(
        self, opsctl: Opsctl, monkeypatch: pytest.MonkeyPatch, state: Path
    ) -> None:
        _failing(ZeroDivisionError("division by zero"), monkeypatch)
        done = opsctl("plan", "daily")
        assert done.code == 1
        first, second = done.err.splitlines()
        assert first == "error: ZeroDivisionError: division by zero"
        (trace,) = (state / "errors").iterdir()
        assert second.endswith(f"the trace is in {trace}")
        assert "in fail\n    raise error" in trace.read_text()

    def test_ctrl_c_is_an_error_of_ours(
        self, opsctl: Opsctl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _failing(KeyboardInterrupt(), monkeypatch)
        done = opsctl("plan", "daily")
        assert done.code == 1
        assert "stopped by Ctrl-C" in done.err
        assert "continues" in done.err

    def test_a_reader_that_has_seen_enough_is_no_fault(self, opsctl: Opsctl) -> None:
        code = "from opsctl.cli.main import main; main()"
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-c", code, "--help"],
            check=False,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            cwd=opsctl.project,
        )
        os.close(writer)
        assert "Traceback" not in done.stderr


def test_the_version(opsctl: Opsctl) -> None:
    done = opsctl("--version")
    assert (done.code, done.out.split()[0]) == (0, "opsctl")


def test_no_command_waits_for_an_answer_without_a_terminal(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    assert not io.StringIO().isatty()
    assert opsctl("deploy", "daily", "--no-verify").code == 0
    done = opsctl("destroy", "daily")
    assert done.code == 2
    assert "--yes" in done.err
