"""`opsctl destroy`: asks on a terminal only, and needs no file."""

from __future__ import annotations

import pytest

from opsctl.deploy import records
from opsctl.infra.workspace import Workspace
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget


@pytest.fixture(autouse=True)
def _deployed(opsctl: Opsctl, target: FakeTarget) -> None:
    assert opsctl("deploy", "daily", "--no-verify").code == 0


@pytest.mark.parametrize(
    ("words", "typed", "code"),
    [((), None, 2), (("--yes",), None, 0), ((), "y\n", 0), ((), "n\n", 2)],
)
def test_it_asks_on_a_terminal_only(
    opsctl: Opsctl, target: FakeTarget, words: tuple[str, ...], typed: str | None, code: int
) -> None:
    done = opsctl("destroy", "daily", *words, typed=typed)
    assert done.code == code
    assert (target.running == {}) == (code == 0)
    assert (records.applied("daily") is None) == (code == 0)


def test_the_json_says_what_was_stopped(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("destroy", "daily", "--keep-data", "--yes", "--output", "json")
    assert sorted(done.json["stopped"]) == ["bus@a", "data@a"]
    assert done.json["kept_data"]
    assert target.data


@pytest.mark.parametrize("text", [None, "config: [\n", "config:\n  trading:tier: yearly\n"])
def test_a_file_that_is_gone_or_broken_is_no_obstacle(
    opsctl: Opsctl, target: FakeTarget, text: str | None
) -> None:
    file = opsctl.project / "Pulumi.daily.yaml"
    file.write_text(text) if text is not None else file.unlink()
    assert opsctl("destroy", "daily", "--yes").code == 0
    assert target.running == {}


def test_infrastructure_that_no_file_declares_any_more_is_not_forgotten(opsctl: Opsctl) -> None:
    settings = Workspace(environment="daily").settings
    settings.parent.mkdir(parents=True)
    settings.touch()
    done = opsctl("destroy", "daily", "--yes")
    assert done.code == 2
    assert "daily has infrastructure in a cloud, and no sound file declares it" in done.err
    settings.unlink()
    assert opsctl("destroy", "daily", "--yes").code == 0


def test_a_second_one_has_nothing_to_do(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl("destroy", "daily", "--yes")
    done = opsctl("destroy", "daily", "--yes")
    assert (done.code, done.out.strip()) == (0, "daily: nothing to destroy")
