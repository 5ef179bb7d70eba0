"""Settings of a cloud: what is taken, what is refused, and how the refusal reads."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from opsctl.model.aws import AwsSettings, Waiver, missing_regions, region_of

LEAST: dict[str, Any] = {
    "account": "123456789012",
    "owner": "platform@example.com",
    "region": "eu-central-1",
}


def settings(**more: Any) -> AwsSettings:
    return AwsSettings(**{**LEAST, **more})


def test_an_account_an_owner_and_a_region_are_enough() -> None:
    given = settings()
    assert (given.database.kind, given.nat, given.backup_region) == ("self", "site", "")
    assert given.waivers == ()
    assert not given.ephemeral


@pytest.mark.parametrize(
    "key",
    [
        "awskms://alias/opsctl?region=eu-central-1",
        "awskms://1234abcd-12ab-34cd-56ef-1234567890ab?region=eu-central-1",
        "awskms:///arn:aws:kms:eu-central-1:123456789012:key/1234abcd?region=eu-central-1",
        "awskms://alias/opsctl?context_environment=books&region=eu-central-1",
    ],
)
def test_a_state_in_a_bucket_names_the_key_of_its_secrets(key: str) -> None:
    backend = "s3://firm-states/books?region=eu-central-1"
    given = settings(state={"backend": backend, "key": key}).state
    assert (given.backend, given.key) == (backend, key)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"account": "12345"}, "account"),
        ({"owner": " "}, "must be a name or an address"),
        ({"region": "Frankfurt"}, "region"),
        ({"cidr": "8.0.0.0/16"}, "8.0.0.0/16 is not private: take one within 10.0.0.0/8"),
        ({"cidr": "172.16.0.0/12"}, "overlaps 172.17.0.0/16, the bridge of every Docker engine"),
        ({"cidr": "10.0.0.0/8"}, "overlaps 10.219.0.0/16, what target docker takes"),
        ({"cidr": "10.64.0.0/24"}, "10.64.0.0/24 must be between /8 and /20"),
        ({"cidr": "10.64.0.1/16"}, "must be an IPv4 network, such as 10.64.0.0/16"),
        ({"cidrs": {"a": "10.64.0.0/26"}}, "must be between /16 and /22"),
        ({"people": ["0.0.0.0/0"]}, "0.0.0.0/0 is as good as everywhere"),
        ({"reaches": [{"network": "198.51.100.0/24", "port": True, "why": "FIX"}]}, "whole number"),
        ({"regions": {"a": "us-east-1"}}, "say `region` for all sites, or `regions` for each"),
        ({"ephemeral": True}, "an ephemeral environment needs `expires`"),
        (
            {"ephemeral": True, "expires": "2030-01-01", "ci": {"repository": "firm/ops"}},
            "cannot hold the identity that made it",
        ),
        ({"images": {"us-east-1": "debian-12"}}, "images"),
        ({"keys": {"us-east-1": "alias/mine"}}, "keys"),
        ({"log_days": 100}, "log_days"),
        ({"subnets": 3}, "subnets"),
        ({"state": {"backend": "/mnt/state"}}, "/mnt/state is no place in a bucket: write s3://"),
        ({"state": {"backend": "s3://states/books"}}, "a state that machines share needs `key`"),
        ({"state": {"key": "alias/opsctl"}}, "alias/opsctl is no key of KMS: write awskms://"),
        ({"state": {"key": "awskms://alias/opsctl"}}, "awskms://alias/NAME?region=REGION"),
    ],
)
def test_what_cannot_be_is_refused_and_says_what_would_be_right(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**wrong)
    assert said in str(refused.value)


def test_a_waiver_has_a_reason_an_owner_and_an_end() -> None:
    whole = {
        "rule": "AWS-COST-001",
        "reason": "shared with the research desk",
        "owner": "platform",
        "expires": "2030-01-01",
    }
    assert Waiver(**whole).resource == "*"
    for missing in ("reason", "owner", "expires"):
        with pytest.raises(ValidationError, match=missing):
            Waiver(**{key: value for key, value in whole.items() if key != missing})


def test_a_site_is_in_the_region_of_all_or_in_its_own() -> None:
    assert region_of(settings(), "witness") == "eu-central-1"
    apart = settings(region="", regions={"a": "us-east-1", "b": "us-west-2"})
    assert region_of(apart, "b") == "us-west-2"
    assert missing_regions(apart, ("a", "b", "witness")) == ("witness",)
    assert missing_regions(settings(), ("a", "b", "witness")) == ()


def test_an_expiry_is_a_day() -> None:
    assert settings(expires="2030-02-01").expires == "2030-02-01"
