"""Typical round trips: held against what a provider publishes of the same cities."""

from __future__ import annotations

import pytest

from stacks.aws.latency import BETWEEN_ZONES_MS, REGIONS, partner, round_trip_ms


@pytest.mark.parametrize(
    ("one", "other", "published_ms"),
    [
        # IBM Cloud, "Network latency", month to 25 August 2024: averages between the cities.
        ("eu-west-2", "eu-central-1", 13),
        ("ap-northeast-1", "ap-northeast-3", 9),
        ("us-east-1", "eu-west-2", 75),
        ("ap-northeast-1", "ap-southeast-2", 115),
        ("us-east-1", "ap-southeast-2", 214),
        ("sa-east-1", "us-east-1", 118),
    ],
)
def test_a_round_trip_is_like_what_is_published(one: str, other: str, published_ms: int) -> None:
    assert published_ms / 2 < round_trip_ms(one, other) < published_ms * 6 / 5
    assert round_trip_ms(one, other) == round_trip_ms(other, one)


def test_zones_of_a_region_are_nearer_than_any_other_region() -> None:
    for region in REGIONS:
        others = [round_trip_ms(region, other) for other in REGIONS if other != region]
        assert round_trip_ms(region, region) == BETWEEN_ZONES_MS < min(others)


def test_copies_stay_in_the_group_of_the_region() -> None:
    assert partner("us-east-1") == "us-east-2"
    assert partner("eu-west-2") == "eu-west-3"
    assert partner("sa-east-1") == ""
