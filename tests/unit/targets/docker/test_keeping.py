"""What a keeper hands out, on folders of this machine instead of volumes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from opsctl.targets.docker import keeping

ME = os.getuid()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("VAULT", "HELD", "DATA"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(keeping, name, str(folder))
    return tmp_path


def give(root: Path, key: str, **files: str) -> None:
    (root / "held" / key).mkdir(exist_ok=True)
    source = root / "vault" / key
    for name, text in files.items():
        path = source / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wanted = sorted(name.replace("__", "/") for name in files)
    (source / keeping.WANTED).write_text("\n".join(wanted))


def held(root: Path, key: str) -> dict[str, str]:
    place = root / "held" / key
    return {str(p.relative_to(place)): p.read_text() for p in place.rglob("*") if p.is_file()}


def test_each_service_holds_its_own_files_and_may_only_read_them(root: Path) -> None:
    give(root, "bus@a", etc__bus="port 1", secrets__bus="s3cret")
    give(root, "data@a", secrets__token="t0ken")
    keeping.fill(ME)
    assert held(root, "bus@a") == {"etc/bus": "port 1", "secrets/bus": "s3cret"}
    assert held(root, "data@a") == {"secrets/token": "t0ken"}
    secret = root / "held" / "bus@a" / "secrets" / "bus"
    assert secret.stat().st_mode & 0o777 == 0o400
    assert secret.parent.stat().st_mode & 0o777 == 0o500


def test_what_changed_is_replaced_and_what_is_gone_is_removed_from_both(root: Path) -> None:
    give(root, "bus@a", etc__bus="port 1", etc__old="x")
    keeping.fill(ME)
    if ME:  # root writes where it may not
        (root / "held" / "bus@a" / "etc").chmod(0o700)
    give(root, "bus@a", etc__bus="port 2")
    keeping.fill(ME)
    assert held(root, "bus@a") == {"etc/bus": "port 2"}
    assert not (root / "vault" / "bus@a" / "etc" / "old").exists()


def test_what_is_kept_for_a_service_that_is_not_here_stays_in_the_vault(root: Path) -> None:
    give(root, "gone@a", secrets__one="1")
    (root / "held" / "gone@a").rmdir()
    keeping.fill(ME)
    assert (root / "vault" / "gone@a" / "secrets" / "one").read_text() == "1"


def test_folders_of_data_become_the_accounts_own(root: Path) -> None:
    (root / "data" / "bus@a").mkdir(mode=0o755)
    keeping.fill(ME)
    found = (root / "data" / "bus@a").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (ME, 0o700)
