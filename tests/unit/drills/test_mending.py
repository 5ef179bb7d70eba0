"""Taking faults back: again until it succeeds, and what is still broken is said and kept."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from opsctl.drills import mending, underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.faults import Faults
from opsctl.drills.mending import lifted, mended
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment

LEFT = Underway(run="20261129T120000000Z-000000", scenario="partition-sites", cut=("a-b-etcd",))


class FakeFaults:
    """Faults that are lifted at the last of so many tries."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    def lift(self, standing: Underway) -> None:
        self.left -= 1
        if self.left > 0:
            raise OpsctlError("still broken: the network app does not answer")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mending, "AGAIN_S", 0.0)
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))


def test_what_cannot_be_lifted_is_tried_again_and_said_once() -> None:
    heard: list[str] = []
    assert lifted(cast("Faults", FakeFaults(3)), LEFT, heard.append, within_s=60.0) == ""
    assert heard == ["still broken: the network app does not answer: trying again"]


def test_what_still_stands_when_time_is_over_is_returned() -> None:
    faults = FakeFaults(10**9)
    found = lifted(cast("Faults", faults), LEFT, lambda _: None, within_s=0.05)
    assert found == "still broken: the network app does not answer"
    assert faults.left < 10**9 - 1


def accounts(tmp_path: Path) -> Accounts:
    return Accounts(environment(), FakeTarget(FakeHost(tmp_path)))


@pytest.mark.parametrize("tries", [2, 10**9])
@pytest.mark.parametrize("sick", [[], ["bus@a: no answer"]])
def test_the_note_stays_until_all_is_lifted_and_steady(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tries: int, sick: list[str]
) -> None:
    monkeypatch.setattr(mending, "TRIED_S", 0.05)
    monkeypatch.setattr(mending, "Faults", lambda *_: FakeFaults(tries))
    monkeypatch.setattr(mending, "unsteady", lambda *_: sick)
    underway.path("daily").parent.mkdir(parents=True)
    underway.note("daily", LEFT)
    found = mended(accounts(tmp_path), LEFT, lambda _: None)
    whole = tries == 2 and not sick
    assert (found == "") is whole
    assert (underway.read("daily") is None) is whole
    if tries == 2 and sick:
        assert found == "not steady: bus@a: no answer"
