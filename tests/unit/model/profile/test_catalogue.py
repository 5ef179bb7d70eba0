"""The catalogue: whole, without doubles, and everything in it can be expanded."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from opsctl.model.profile import places, words
from opsctl.model.profile.catalogue import BY_ID, SETTINGS
from opsctl.model.profile.setting import Compare, Each, Means, NeedKind, Setting, Topic
from opsctl.model.tiers import LatencyTier

ALL = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.id)
OF_EACH = {
    Each.ONCE: set(),
    Each.NIC: {"nic", "queues", "queue_mask", "queue"},
    Each.QUEUE: {"nic", "queue", "queues", "queue_mask"},
    Each.OTHER_NIC: {"nic"},
    Each.ANY_NIC: {"nic"},
    Each.DISK: {"disk"},
    Each.CPU: {"cpu"},
    Each.TRADING_CPU: {"cpu"},
}
NAMES_IT = {
    Each.NIC: {"nic"},
    Each.OTHER_NIC: {"nic"},
    Each.ANY_NIC: {"nic"},
    Each.QUEUE: {"nic", "queue"},
    Each.DISK: {"disk"},
    Each.CPU: {"cpu"},
    Each.TRADING_CPU: {"cpu"},
}


def test_no_id_is_there_twice() -> None:
    assert [name for name, count in Counter(s.id for s in SETTINGS).items() if count > 1] == []
    assert len(BY_ID) == len(SETTINGS)


@ALL
def test_a_setting_says_why_where_it_comes_from_and_how_it_is_undone(setting: Setting) -> None:
    assert setting.why.endswith(".")
    assert re.fullmatch(r".+: https://\S+", setting.source)
    assert setting.undo
    assert setting.want


@ALL
def test_every_word_of_a_template_stands_for_something(setting: Setting) -> None:
    known = words.OF_BOX | words.OF_FIRM | OF_EACH[setting.each]
    for template in (setting.id, setting.at, *setting.want.values()):
        assert words.in_(template) <= known


@ALL
def test_one_that_is_wanted_for_each_says_which_in_its_id_and_place(setting: Setting) -> None:
    needed = NAMES_IT.get(setting.each, set())
    assert needed <= words.in_(setting.id)
    assert needed <= words.in_(setting.at)


@ALL
def test_the_id_begins_with_its_means_and_what_compares_cpus_has_them(setting: Setting) -> None:
    assert setting.id.startswith(f"{setting.means}.")
    if setting.means is Means.CMDLINE:
        assert setting.boot
    if setting.compare in (Compare.CPUS, Compare.WITHIN):
        assert all(words.in_(want) or want == "0" for want in setting.want.values())


@ALL
def test_what_a_need_names_is_there(setting: Setting) -> None:
    for need in setting.needs:
        if need.kind is NeedKind.KERNEL_OPTION:
            assert re.fullmatch(r"CONFIG_[A-Z0-9_]+", need.at)
        if need.kind in (NeedKind.DRIVER, NeedKind.VENDOR, NeedKind.CHOSEN):
            assert need.at
        if need.kind is NeedKind.DRIVER:
            assert setting.each in (Each.NIC, Each.QUEUE, Each.DISK)


@ALL
def test_its_place_and_values_look_as_those_of_its_means_do(setting: Setting) -> None:
    for want in setting.want.values():
        assert list(places.wrong(setting.means, setting.at, want)) == []


@pytest.mark.parametrize("topic", Topic)
def test_every_topic_has_settings(topic: Topic) -> None:
    assert any(setting.topic is topic for setting in SETTINGS)


def test_a_faster_tier_wants_more() -> None:
    count = {tier: sum(tier in setting.want for setting in SETTINGS) for tier in LatencyTier}
    assert count[LatencyTier.HFT] > count[LatencyTier.INTRADAY] > count[LatencyTier.DAILY] > 20
    assert count[LatencyTier.DAILY] == count[LatencyTier.WEEKLY]


def test_nothing_but_hft_takes_a_reboot() -> None:
    assert {tier for s in SETTINGS if s.boot for tier in s.want} == {LatencyTier.HFT}


def test_the_clock_may_be_off_by_what_rts_25_says() -> None:
    want = BY_ID["measured.clock.offset_us"].want
    assert {tier.value: want[tier] for tier in want} == {
        "hft": "100",
        "intraday": "1000",
        "daily": "1000",
        "weekly": "1000",
    }
