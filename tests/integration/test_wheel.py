"""The control plane installs alone: from the wheel, without a compiler, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def uv() -> str:
    """Return the uv of the checkout, or the one on PATH."""
    own = REPOSITORY / ".cache" / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if not found:
        pytest.skip("uv is neither in .cache/uv (make setup) nor on PATH")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [uv(), "build", "--wheel", "--out-dir", str(out), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_carries_what_an_installed_opsctl_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        "opsctl/_shipped/Pulumi.yaml",
        "opsctl/_shipped/Pulumi.daily.yaml",
        "opsctl/_shipped/Pulumi.intraday.yaml",
        "opsctl/_shipped/stacks/README.md",
        "opsctl/_shipped/playbooks/README.md",
        "opsctl/_shipped/images/base.yaml",
        "opsctl/_shipped/images/execution.yaml",
        "opsctl/_shipped/images/probe.py",
        "opsctl/_shipped/pyproject.toml",
        "opsctl/_shipped/uv.lock",
        "opsctl/toolchain/modules/etcd/go.sum",
        "apps/core/settings.py",
    }
    assert shipped <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_runs_without_the_extras(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    quiet = {"check": True, "capture_output": True, "text": True}
    subprocess.run([uv(), "venv", "--python", sys.executable, str(home)], **quiet)  # type: ignore[call-overload]
    subprocess.run(
        [uv(), "pip", "install", "--python", str(home / "bin" / "python"), str(wheel)],
        **quiet,  # type: ignore[call-overload]
    )
    assert not list(home.glob("lib/*/site-packages/*quickfix*"))
    done = subprocess.run(
        [str(home / "bin" / "opsctl"), "env", "list"],
        cwd=tmp_path,
        env={**os.environ, "OPSCTL_STATE": str(tmp_path / "state")},
        **quiet,  # type: ignore[call-overload]
    )
    assert "daily" in done.stdout
