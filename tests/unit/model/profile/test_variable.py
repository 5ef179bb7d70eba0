"""The host variable that the playbooks take."""

from __future__ import annotations

import json

from opsctl.model.profile.profile import Layout, Profile, Wanted
from opsctl.model.profile.resolve import profile_for
from opsctl.model.profile.setting import Means, Topic
from opsctl.model.profile.variable import settings_by_means
from opsctl.model.tiers import LatencyTier
from tests.support.boxes import box


def test_it_is_what_the_playbooks_are_promised() -> None:
    def wanted(means: Means, at: str, lacks: str = "") -> Wanted:
        return Wanted(
            id=at,
            topic=Topic.CPU,
            means=means,
            at=at,
            want="1",
            compare="equal",
            lacks=lacks,
            boot=means is Means.CMDLINE,
        )

    profile = Profile(
        name="ours",
        tier=LatencyTier.HFT,
        layout=Layout(housekeeping=(0,), interrupts=(0,), trading=(1,), idle=(3,)),
        settings=(
            wanted(Means.SYSCTL, "b"),
            wanted(Means.SYSCTL, "a"),
            wanted(Means.SYSCTL, "c", lacks="no such key"),
            wanted(Means.CMDLINE, "d"),
            wanted(Means.MEASURED, "e"),
        ),
    )
    found = settings_by_means(profile)
    assert {key: found[key] for key in ("name", "tier", "digest", "layout")} == {
        "name": "ours",
        "tier": "hft",
        "digest": profile.digest(),
        "layout": {"housekeeping": [0], "interrupts": [0], "trading": [1], "idle": [3]},
    }
    assert [each["id"] for each in found["settings"]["sysctl"]] == ["b", "a"]
    assert found["settings"]["cmdline"] == [
        {"id": "d", "topic": "cpu", "at": "d", "want": "1", "compare": "equal", "boot": True}
    ]
    assert set(found["settings"]) == {means.value for means in Means} - {"measured"}


def test_it_is_json_and_of_a_size_that_a_variable_may_have() -> None:
    text = json.dumps(settings_by_means(profile_for(box(), LatencyTier.HFT)))
    assert json.loads(text)["tier"] == "hft"
    assert len(text) < 64 * 1024
