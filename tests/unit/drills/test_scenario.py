from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from opsctl.drills import scenario
from opsctl.drills.composing import Random, composed
from opsctl.drills.kinds import KINDS, Cut, Freeze, Lose
from opsctl.drills.scenario import checked, described, load, names
from opsctl.errors import UsageError
from opsctl.model.tiers import DR, DrTier

CATALOGUE = {
    "engine-loss",
    "engine-restart",
    "firewall-reject",
    "memory-short",
    "narrow-uplink",
    "scratch-full",
    "site-unplugged",
    "throttled-disk",
    "uplink-loss",
    *("leader-kill", "leader-freeze", "site-loss", "site-loss-etcd-leader"),
    *("partition-sites", "partition-witness", "one-way-partition", "feed-loss", "bus-loss"),
    *("database-loss", "journal-member-loss", "journal-quorum-loss", "venue-disconnect"),
    *("venue-restart", "disk-full", "slow-disk", "clock-step", "planned-handover"),
    *("failback", "flapping", "double-fault", "random", "slow-link", "fix-store-full"),
}
OLD = """\
name: one-more
title: One more
hypothesis: It holds.
parameters:
  hold_s: 30
fault:
  kind: freeze
  site: leader
  services: [execution]
  hold_s: $hold_s
takes_over: true
goal:
  rto_ms: 100
"""
NEW = """\
format: 2
name: one-more
title: One more
hypothesis: It holds.
parameters:
  hold_s: 30
faults:
  - kind: freeze
    site: leader
    services: [execution]
    hold_s: $hold_s
leadership: moves
goal:
  rto_ms: 100
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    scenario.OWN.mkdir(parents=True)
    return scenario.OWN


def faults_of(folder: Path, text: str) -> list[str]:
    (folder / "mine.yaml").write_text(text)
    (found,) = checked(["mine"]).scenarios
    return [str(fault) for fault in found.faults]


def test_the_catalogue_is_there() -> None:
    assert set(names()) == CATALOGUE


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_shipped_scenario_is_whole_and_documented(name: str) -> None:
    found = load(name)
    assert found.name == name
    assert found.goal.rto_ms > 0
    page = Path(__file__).parents[3] / "docs" / "drills.md"
    assert f"| `{name}` |" in page.read_text()


def test_parameters_fill_the_faults_and_can_be_replaced() -> None:
    assert isinstance(load("leader-freeze").faults[0], Freeze)
    found = load("site-loss", {"hold_s": 2.0, "etcd_leader": False, "operator_s": 9.0})
    (fault,) = found.faults
    assert isinstance(fault, Lose)
    assert (fault.hold_s, found.etcd_leader, found.operator_s) == (2.0, False, 9.0)
    assert found.parameters == {"hold_s": 2.0, "etcd_leader": False, "operator_s": 9.0}


@pytest.mark.parametrize(
    ("name", "dr", "waits_s"),
    [
        ("leader-kill", DrTier.WARM, 10.0),
        ("leader-kill", DrTier.HOT, 0.0),
        ("partition-sites", DrTier.WARM, 10.0),
        ("bus-loss", DrTier.HOT, 0.0),
        ("planned-handover", DrTier.WARM, 0.0),
    ],
)
def test_an_operator_is_waited_for_where_nothing_else_moves_leadership(
    name: str, dr: DrTier, waits_s: float
) -> None:
    assert load(name).waits_s(DR[dr]) == waits_s


def test_an_unknown_parameter_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError) as refused:
        load("leader-freeze", {"hold": 2.0})
    (said,) = refused.value.details
    assert "has no parameter hold: its parameters are hold_s" in said


def test_an_unknown_scenario_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="no scenario nonsense") as refused:
        load("nonsense")
    assert "leader-kill" in str(refused.value.hint)


def test_a_file_of_format_1_is_read_as_what_it_would_be_today(own: Path) -> None:
    (own / "one-more.yaml").write_text(OLD)
    old = load("one-more", {"hold_s": 3.0})
    (own / "one-more.yaml").write_text(NEW)
    assert old == load("one-more", {"hold_s": 3.0})
    assert (old.leadership, old.recovery) == ("moves", "takeover")


def test_the_cut_of_format_1_is_a_cut_between_the_sites(own: Path) -> None:
    (own / "old.yaml").write_text(
        "name: old\ntitle: Old\nhypothesis: It holds.\nfault: {kind: part, hold_s: 2}\n"
        "takes_over: false\ngoal: {rto_ms: 5}\n"
    )
    found = load("old")
    assert found.faults == (Cut(between=("leader", "follower"), hold_s=2),)
    assert (found.leadership, found.recovery) == ("may-move", "longest-gap")


def test_every_fault_of_a_file_is_named_with_its_line(own: Path) -> None:
    wrong = NEW.replace("kind: freeze", "kind: frezze").replace("rto_ms: 100", "rto_ms: -1")
    wrong = wrong.replace("leadership: moves", "leadership: maybe").replace("title:", "titel:")
    wrong += "extra: 1\n"
    file = own / "mine.yaml"
    kinds = ", ".join(KINDS)
    assert faults_of(own, wrong) == [
        f"title: is required ({file}, line 1)",
        f"titel: is no setting: did you mean title? ({file}, line 3)",
        f"faults.0.kind: must be one of {kinds}: did you mean freeze? ({file}, line 8)",
        f"leadership: must be one of moves, may-move, stays, not 'maybe' ({file}, line 12)",
        f"goal.rto_ms: must be > 0.0, not -1 ({file}, line 14)",
        (
            f"extra: is no setting: known are {', '.join(scenario.Scenario.model_fields)} "
            f"({file}, line 15)"
        ),
    ]
    with pytest.raises(UsageError, match="has 6 faults"):
        load("mine")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[execution]", "[execution, nonsense]", "faults.0.services: nonsense is no service"),
        ("[execution]", "execution", "faults.0.services: must be a list, not 'execution' ("),
        ("$hold_s", "$hold", "faults.0.hold_s: $hold is no parameter of it"),
        ("$hold_s", "-1", "faults.0.hold_s: must be > 0"),
        ("    hold_s: $hold_s\n", "", "faults.0.hold_s: is required"),
        ("hold_s: $hold_s", "hold_s: 2\n    times: 3", "faults.0.every_s: must be > hold_s (2)"),
        ("hold_s: $hold_s", "hold_s: 2\n    after_s: 3", "faults.0.after_s: must be 0"),
        ("site: leader", "sight: leader", "faults.0.site: is required"),
        ("faults:", "fault:", "faults: is required"),
        (
            "leadership: moves",
            "leadership: moves\nrandom: {seed: 1}",
            "random: composes the faults",
        ),
        ("format: 2", "format: 3", "format: 3 needs a newer opsctl"),
        ("format: 2", "format: new", "format: must be a whole number from 1 to 2"),
        ("title: One", "title: [", "is no YAML"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_the_file(
    own: Path, before: str, after: str, said: str
) -> None:
    assert before in NEW
    found = faults_of(own, NEW.replace(before, after))
    assert any(line.startswith(said) for line in found), found
    assert all("mine.yaml, line " in line for line in found)


def test_faults_strike_in_the_order_in_which_they_stand(own: Path) -> None:
    more = "  - {kind: kill, site: leader, services: [etcd], after_s: 3}\n"
    wrong = NEW.replace("leadership", f"{more}{more.replace('3}', '2}')}leadership")
    assert faults_of(own, wrong) == [
        (
            "faults.2.after_s: is before the fault above it: they strike in order "
            f"({own / 'mine.yaml'}, line 13)"
        )
    ]


def test_a_faulty_fault_of_format_1_is_named_as_the_file_names_it(own: Path) -> None:
    wrong = OLD.replace("$hold_s", "0").replace("takes_over: true", "takes_over: 7")
    file = own / "mine.yaml"
    assert faults_of(own, wrong) == [
        f"fault.hold_s: must be > 0.0, not 0 ({file}, line 10)",
        f"takes_over: must be true or false ({file}, line 11)",
    ]


def test_what_is_no_mapping_is_refused(own: Path) -> None:
    for text in ("7\n", "null\n", "- a\n"):
        (line,) = faults_of(own, text)
        assert "no mapping" in line


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        checked([str(tmp_path / "none.yaml")])


def test_what_is_shown_is_read_again_as_the_same(own: Path) -> None:
    for name in sorted(CATALOGUE):
        shown = described(name)
        assert shown.source == "shipped"
        (own / f"{name}.yaml").write_text(shown.text())
        assert load(name) == shown.scenario
        assert described(name).source == str(own / f"{name}.yaml")


def test_the_seed_alone_determines_what_is_composed() -> None:
    of = Random(seed=7, faults=12)
    assert composed(of) == composed(of) != composed(Random(seed=8, faults=12))
    moments = [fault.after_s for fault in composed(of)]
    assert moments == sorted(moments)
    assert (moments[0], len(moments)) == (0.0, 12)


def test_each_run_of_a_repeat_has_the_next_seed() -> None:
    first = load("random", {"seed": 7.0})
    third = first.nth(2)
    assert third == load("random", {"seed": 9.0})
    assert third.parameters["seed"] == 9.0
    assert third.faults != first.faults
    assert load("leader-kill").nth(2) == load("leader-kill")


def test_the_page_shows_a_scenario_that_is_sound(own: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "drills.md").read_text()
    block = page.split("```yaml\n")[1].split("```")[0]
    assert faults_of(own, block) == []
    assert yaml.safe_load(block)["format"] == 2
