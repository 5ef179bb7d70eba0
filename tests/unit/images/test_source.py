"""Tags and revisions: of a commit, of a changed checkout, of an installed wheel."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from opsctl.images.source import Source

PROJECT = '[project]\nname = "opsctl"\nversion = "1.2.3"\n'


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    argv = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def _commit(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    _git(folder, "add", name)
    _git(folder, "commit", "-q", "-m", name)
    return _git(folder, "rev-parse", "HEAD")


def _checkout(folder: Path) -> Source:
    _git(folder, "init", "-q")
    _commit(folder, "pyproject.toml", PROJECT)
    return Source(root=folder.resolve(), locks=folder)


def test_the_revision_is_of_what_an_image_is_made_from_the_tag_of_the_checkout(
    tmp_path: Path,
) -> None:
    source = _checkout(tmp_path)
    first = _commit(tmp_path, "apps/desk/app.py", "1")
    second = _commit(tmp_path, "apps/data/app.py", "1")

    desk, data = source.commit(("apps/desk",)), source.commit(("apps/data",))
    assert (desk.revision, data.revision) == (first, second)
    assert desk.tag == data.tag == second[:12]

    (tmp_path / "apps/desk/app.py").write_text("2")
    assert source.commit(("apps/desk",)).tag == f"{second[:12]}-dirty"
    assert source.commit(("apps/desk",)).label == f"{first}-dirty"
    assert source.commit(("apps/data",)).tag == second[:12]


def test_what_all_images_share_changes_every_revision(tmp_path: Path) -> None:
    source = _checkout(tmp_path)
    _commit(tmp_path, "apps/desk/app.py", "1")
    shared = _commit(tmp_path, "images/base.yaml", "suite: bookworm")
    assert source.commit(("apps/desk",)).revision == shared


def test_outside_of_git_the_tag_is_the_version_and_every_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in ("apps/desk/app.py", "apps/desk/__pycache__/app.pyc", "apps/data/app.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    source = Source(root=tmp_path, locks=tmp_path)

    commit = source.commit(("apps/desk",))
    assert (commit.tag, commit.label, commit.at) == ("1.2.3", "", datetime.fromtimestamp(0, UTC))
    assert source.files(("apps/desk",)) == (tmp_path / "apps/desk/app.py",)
    assert source.unknown(("apps/desk",)) == ()


def test_only_what_git_knows_is_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    source = _checkout(tmp_path)
    _commit(tmp_path, "apps/desk/app.py", "1")
    (tmp_path / "apps/desk/token").write_text("secret")
    assert source.files(("apps/desk",)) == (tmp_path.resolve() / "apps/desk/app.py",)
    assert source.unknown(("apps/desk",)) == ("apps/desk/token",)
