"""Scanning: findings end with 3, what could not be looked at with 1; neither is clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opsctl.images import distribution, store
from opsctl.images.results import ImagesScanned
from opsctl.images.scanning import packages_of
from opsctl.state import images_folder
from tests.support.command import opsctl


def _data(folder: Path, fixed: str) -> Path:
    """Write Debian's security data as it is published, of a flaw fixed in a version of glibc."""
    release = {"status": "resolved", "fixed_version": fixed, "urgency": "not yet assigned"}
    later = {"status": "open", "urgency": "unimportant"}
    file = folder / "debian.json"
    file.write_text(
        json.dumps(
            {
                "glibc": {
                    "CVE-2099-0001": {"releases": {"bookworm": release}},
                    "CVE-2099-0002": {"releases": {"bookworm": later}},
                },
                "bash": {"CVE-2099-0003": {"releases": {"bookworm": {"status": "open"}}}},
            }
        )
    )
    return file


def test_a_flaw_of_the_base_is_found_by_version(state: Path, tmp_path: Path) -> None:
    layer = store.obtain(distribution.recipe(), lambda _: None)
    assert packages_of(layer.components)["glibc"].startswith("2.36")
    words = ("images", "scan", "network", "--output", "json", "--debian-data")

    done = opsctl(*words, str(_data(tmp_path, "2.99-1")), state=state)
    found = ImagesScanned.model_validate_json(done.stdout)
    assert done.returncode == 3, done.stderr
    ours = [(f.package, f.id, f.fixed_in) for f in found.findings if f.id.startswith("CVE-2099")]
    assert ours == [("glibc", "CVE-2099-0001", ("2.99-1",))]

    done = opsctl(*words, str(_data(tmp_path, "2.36-1")), state=state)
    found = ImagesScanned.model_validate_json(done.stdout)
    assert not [f for f in found.findings if f.id.startswith("CVE-2099")]


def test_a_flaw_of_what_one_image_has_beside_the_base_is_that_images(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = distribution.recipe()
    store.obtain(base, lambda _: None)
    words = ("images", "scan", "postgres", "valkey", "--output", "json", "--debian-data")
    data = tmp_path / "dash.json"
    flaw = {"releases": {"bookworm": {"status": "open"}}}
    data.write_text(json.dumps({"dash": {"CVE-2099-0004": flaw}}))

    with monkeypatch.context() as elsewhere:  # where nothing but the base was made
        only = tmp_path / "images" / "layers"
        only.mkdir(parents=True)
        (only / base.slot).symlink_to(images_folder() / "layers" / base.slot)
        elsewhere.setenv("OPSCTL_IMAGES", str(only.parent))
        unmade = opsctl(*words, str(data), state=state)
    assert unmade.returncode == 1
    assert "have not been made here" in unmade.stderr

    store.obtain(distribution.beside(("dash",)), lambda _: None)
    done = opsctl(*words, str(data), state=state)
    (found,) = ImagesScanned.model_validate_json(done.stdout).findings
    assert (found.package, found.id, found.images) == ("dash", "CVE-2099-0004", ("postgres",))


def test_what_cannot_be_asked_is_said_and_is_not_clean(state: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("no JSON")
    words = ("images", "scan", "etcd", "--output", "json", "--debian-data", str(broken))
    done = opsctl(*words, state=state)
    found = ImagesScanned.model_validate_json(done.stdout)
    assert (done.returncode, found.verdict) == (1, "unknown")
    assert [one.asked for one in found.looked] == [False, False]
    assert "NOT looked at" in done.stderr
    assert "no data is kept here on etcd" in done.stderr
