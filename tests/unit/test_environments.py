from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from opsctl import environments
from opsctl.errors import UsageError
from opsctl.model.environment import Environment, Replay
from opsctl.model.faults import key_of
from opsctl.model.layers import leaves
from opsctl.model.tiers import DrTier, LatencyTier

DAILY = "config:\n  trading:tier: daily\n  trading:dr: cold\n"
WEEKLY = "config:\n  trading:tier: weekly\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without environments; the current folder is below it."""
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    return tmp_path


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"Pulumi.{name}.yaml").write_text(text)


def refused(name: str | None, tier: LatencyTier | None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        environments.find(name, tier)
    return caught.value


def test_the_project_is_searched_upwards(folder: Path) -> None:
    write(folder, mine=DAILY)
    found = environments.project()
    assert (found.folder, found.shipped, found.names) == (folder, False, ("mine",))


def test_the_project_of_somebody_else_is_passed_by(folder: Path) -> None:
    (folder / "deep" / "Pulumi.yaml").write_text("name: website\n")
    assert environments.project().folder == folder


def test_without_a_project_the_shipped_environments_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert environments.project().shipped
    assert {"intraday", "daily", "weekly", "research"} <= set(environments.project().names)


@pytest.mark.parametrize("name", environments.shipped().names)
def test_every_shipped_environment_is_sound(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert environments.load(name).environment.name == name


def test_shipped_tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    daily = environments.load("daily").environment
    assert (daily.tier, daily.dr) == (LatencyTier.DAILY, DrTier.COLD)
    research = environments.load("research").environment
    assert (research.tier, research.dr) == (LatencyTier.WEEKLY, DrTier.COLD)
    assert research.replay.day_s == 0
    assert environments.find(None, LatencyTier.WEEKLY) == "weekly"


def test_tier_picks_the_environment_of_its_name(folder: Path) -> None:
    write(folder, daily=DAILY, other=DAILY)
    assert environments.find(None, LatencyTier.DAILY) == "daily"


def test_tier_picks_the_only_environment_that_has_it(folder: Path) -> None:
    write(folder, mine=DAILY, other=WEEKLY)
    assert environments.find(None, LatencyTier.DAILY) == "mine"


def test_several_of_a_tier_are_listed(folder: Path) -> None:
    write(folder, mine=DAILY, other=DAILY)
    error = refused(None, LatencyTier.DAILY)
    assert error.message == "several environments have tier daily: mine, other"
    assert error.exit_code == 2


def test_none_of_a_tier_says_how_to_make_one(folder: Path) -> None:
    write(folder, mine=DAILY)
    error = refused(None, LatencyTier.HFT)
    assert error.hint == "make one: opsctl env new hft --tier hft"
    assert error.details == ("mine: daily",)


def test_an_environment_named_as_a_tier_that_it_does_not_have(folder: Path) -> None:
    write(folder, daily=WEEKLY, mine=DAILY)
    error = refused(None, LatencyTier.DAILY)
    assert error.message == "environment daily has tier weekly"
    assert "mine" in error.hint


def test_name_and_tier_must_agree(folder: Path) -> None:
    write(folder, mine=DAILY)
    assert environments.find("mine", LatencyTier.DAILY) == "mine"
    assert "has tier daily, not weekly" in refused("mine", LatencyTier.WEEKLY).message


def test_neither_name_nor_tier(folder: Path) -> None:
    write(folder, mine=DAILY)
    assert refused(None, None).hint == "name one of mine, or its --tier"


def test_unknown_names_are_guessed(folder: Path) -> None:
    write(folder, daily=DAILY)
    assert refused("dialy", None).hint == "did you mean daily?"
    assert refused("../etc/passwd", None).hint == "there are daily"


def test_a_chain_of_files(folder: Path) -> None:
    write(
        folder,
        ground=DAILY + "  trading:replay: {seed: 1, day_s: 1}\n",
        base="config:\n  trading:extends: ground\n  trading:replay: {seed: 2}\n",
        mine="config:\n  trading:extends: base\n  trading:live: true\n",
    )
    loaded = environments.load("mine", {"replay.day_s": "0"})
    assert loaded.environment.live
    assert loaded.environment.replay == Replay(seed=2, day_s=Decimal(0))
    assert str(loaded.origins["replay.seed"]) == "Pulumi.base.yaml, line 3"
    assert str(loaded.origins["tier"]) == "Pulumi.ground.yaml, line 2"
    assert loaded.file == folder / "Pulumi.mine.yaml"


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ("trading:extends: mine", "trading:extends: goes round in a circle: mine -> mine"),
        ("trading:extends: bse", "no environment is named bse: did you mean base?"),
        ("trading:extends: [base]", "no environment is named ['base']"),
        ("trading:extends: loop", "goes round in a circle: mine -> loop -> mine"),
    ],
)
def test_a_chain_that_leads_nowhere(folder: Path, mine: str, said: str) -> None:
    write(
        folder,
        mine=f"{DAILY}  {mine}\n",
        base=DAILY,
        loop="config:\n  trading:extends: mine\n",
    )
    with pytest.raises(UsageError) as caught:
        environments.load("mine")
    (detail,) = caught.value.details
    assert said in detail


def test_faults_of_the_whole_chain_come_at_once(folder: Path) -> None:
    write(
        folder,
        base="config:\n  trading:tier: daily\n  trading:dr: cold\n  trading:foo: 1\n",
        mine="config:\n  trading:extends: base\n  trading:live: maybe\n",
    )
    with pytest.raises(UsageError) as caught:
        environments.load("mine", {"bar": "1"})
    assert caught.value.message == "environment mine has 3 faults"
    files = [detail.rpartition("(")[2] for detail in caught.value.details]
    assert files == ["flag)", "Pulumi.mine.yaml, line 3)", "Pulumi.base.yaml, line 4)"]


def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / "Pulumi.binary.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "Pulumi.folder.yaml").mkdir()
    for name, said in (("binary", "is no text in UTF-8"), ("folder", "cannot be read")):
        with pytest.raises(UsageError) as caught:
            environments.load(name)
        assert said in caught.value.details[0]


def test_faults_of_flags_send_nobody_to_the_file(folder: Path) -> None:
    write(folder, mine=DAILY)
    with pytest.raises(UsageError) as caught:
        environments.load("mine", {"dr": "tepid"})
    assert caught.value.hint == "correct the flags"


def test_every_setting_is_documented_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
    row = r"^\| `(?:trading:)?([a-z_-]+)` \|.*\|([^|]*)\|$"
    # What a mapping holds stands below its name: "`trading:aws`: the cloud of …".
    head, *parts = re.split(r"^`trading:([a-z-]+)`:", page, flags=re.MULTILINE)
    tables = {"": head, **dict(zip(parts[::2], parts[1::2], strict=True))}
    rows = {
        (name, key): default
        for name, text in tables.items()
        for key, default in re.findall(row, text, re.MULTILINE)
    }
    environment = Environment(name="x", tier=LatencyTier.WEEKLY, dr=DrTier.COLD)
    chosen = {"name", "tier", "dr"}
    for path, value in leaves(environment.model_dump(mode="json", exclude=chosen)):
        key = (path[0], path[-1]) if len(path) > 1 else ("", key_of(path[0]))
        shown = "" if value == {} else str(value).lower() if isinstance(value, bool) else str(value)
        assert rows[key].strip("` ") == shown, path
    assert {("", key) for key in ("tier", "dr", "extends", "format")} <= set(rows)
