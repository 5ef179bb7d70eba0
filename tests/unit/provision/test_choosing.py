"""Which profile a box is to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.errors import UsageError
from opsctl.model.tiers import LatencyTier
from opsctl.provision import choosing
from tests.unit.provision.test_failing import HOST


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A firm's repository with a profile of its own."""
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    folder = tmp_path / "site" / "profiles"
    folder.mkdir(parents=True)
    (folder / "ours.yaml").write_text("extends: intraday\nmitigations: 'off'\n")
    monkeypatch.chdir(tmp_path)
    return folder


def test_it_is_that_of_the_tier() -> None:
    host = HOST.model_copy(update={"tier": LatencyTier.HFT})
    assert choosing.chosen(host, None) == choosing.Chosen(name="hft", tier=LatencyTier.HFT)


def test_a_named_one_goes_before_the_inventorys(project: Path) -> None:
    host = HOST.model_copy(update={"tier": LatencyTier.HFT, "profile": "ours"})
    found = choosing.chosen(host, None)
    assert (found.name, found.tier) == ("ours", LatencyTier.INTRADAY)
    assert found.own is not None
    assert choosing.chosen(host, "weekly").tier is LatencyTier.WEEKLY


def test_a_box_of_no_tier_is_refused() -> None:
    with pytest.raises(UsageError, match=r"ny4-1 is in no tier's group"):
        choosing.chosen(HOST, None)


def test_an_unknown_one_leads_to_the_nearest(project: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no profile our$") as caught:
        choosing.chosen(HOST, "our")
    assert caught.value.hint == "did you mean ours?"


def test_a_faulty_one_is_refused_with_every_fault(project: Path) -> None:
    (project / "wrong.yaml").write_text("extends: hft\nmitigatons: off\nofff: {}\n")
    with pytest.raises(UsageError, match="profile wrong has 2 faults") as caught:
        choosing.chosen(HOST, "wrong")
    assert "site/profiles/wrong.yaml, line 2" in caught.value.details[0]
