"""The engine of infrastructure, as the suite's toolchain has it: built from its Go module."""

from __future__ import annotations

import os
import subprocess
from importlib import metadata

from opsctl.toolchain import inspection, programs
from opsctl.toolchain.registry import GoModule, program


def test_the_engine_is_of_the_version_of_its_python_sdk() -> None:
    found = programs.locate("pulumi")
    assert found is not None, "python -m tests.support.prepare obtains it"
    done = subprocess.run(
        [str(found.binaries["pulumi"]), "version"],
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"v{found.version}"
    assert found.version in program("pulumi").versions
    if found.method == "go":
        assert found.version == metadata.version("pulumi")
        assert inspection.check(["pulumi"]).verdict == "passed"


def test_the_scripts_by_which_it_runs_python_lie_beside_it() -> None:
    engine = programs.path("pulumi", "pulumi")
    [method] = [m for m in program("pulumi").methods if isinstance(m, GoModule)]
    for script in method.scripts:
        path = programs.path("pulumi", script.rpartition("/")[2])
        assert os.access(path, os.X_OK)
        assert path.parent == engine.parent
