"""Each rule fires on what it is against, and only there; what it cannot know it says."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.infra.guardrails import judge
from opsctl.infra.guardrails.catalogue import RULES
from opsctl.infra.previewed import Action, Property
from tests.support.previews import FACTS, preview, resource, sound
from tests.unit.infra.guardrails import (
    cases_deletion,
    cases_encryption,
    cases_identity,
    cases_network,
    cases_tags,
)
from tests.unit.infra.guardrails.case import Case

TOPICS = (cases_encryption, cases_network, cases_identity, cases_deletion, cases_tags)
FIRES = [case for topic in TOPICS for case in topic.FIRES]
HOLDS = {about: case for topic in TOPICS for about, case in topic.HOLDS.items()}


def _id(case: Case) -> str:
    return f"{case.rule}-{case.about}-{'unknown' if case.unknown else 'wrong'}"


@pytest.mark.parametrize("case", FIRES, ids=_id)
def test_a_rule_finds_what_it_is_against(case: Case) -> None:
    found = [one for one in case.judged() if one.rule == case.rule]
    about = {(one.resource, one.unknown) for one in found}
    assert (case.about, case.unknown) in about, found
    assert len(about) == 1 or not case.alone, "and finds nothing elsewhere"


def test_nothing_is_found_where_every_rule_holds() -> None:
    assert judge(preview(sound()), FACTS).findings == ()


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in FIRES} == {rule.id for rule in RULES}


def test_every_rule_that_reads_values_says_what_it_cannot_know() -> None:
    of_facts = {"AWS-CHG-001", "AWS-CHG-002", "AWS-COST-001", "AWS-COST-003", "AWS-DEL-001"}
    reads_no_value = of_facts | {"AWS-ENC-004", "AWS-EXP-001", "AWS-OWN-001"}
    assert {case.rule for case in FIRES if case.unknown} == (
        {rule.id for rule in RULES} - reads_no_value
    )


@pytest.mark.parametrize("about", HOLDS)
def test_a_rule_lets_through_what_is_right(about: str) -> None:
    case = HOLDS[about]
    assert [one for one in case.judged() if one.rule == case.rule] == []


def test_a_replacement_names_the_property_that_forces_it() -> None:
    forced = (Property(path="size", old=1, new=2), Property(path="encrypted", replaces=True))
    case = Case(
        "AWS-CHG-002",
        "data-a",
        update={"data-a": {"action": Action.REPLACE, "properties": forced}},
    )
    (found,) = [one for one in case.judged() if one.rule == case.rule]
    assert found.problem == "holds data, and would be replaced because of encrypted"


@pytest.mark.parametrize(
    ("companion", "lacking"),
    [
        # `backups` and `backups-copy` are there: the longest beginning in common tells whose it is.
        ("backups-copy-encryption", {"backups": False}),
        ("backups-encryption", {"backups-copy": False}),
        ("encryption", {"backups": True, "backups-copy": True}),
    ],
)
def test_two_buckets_do_not_share_what_is_declared_of_one(
    companion: str, lacking: dict[str, bool]
) -> None:
    copy = resource("aws:s3/bucket:Bucket", "backups-copy", {}, protected=True)
    found = sound()
    moved = found["backups-encryption"].model_copy(update={"name": companion})
    found["backups-encryption"] = moved
    judged = judge(preview([*found.values(), copy]), FACTS)
    said = {one.resource: one.unknown for one in judged.findings if one.rule == "AWS-ENC-003"}
    assert said == lacking


def test_of_owners_that_are_as_near_none_is_guessed() -> None:
    found = sound()
    network = found["vpc-a"]
    twins = [network.model_copy(update={"name": name, "urn": name}) for name in ("vpc-x", "vpc-y")]
    flows = found["vpc-a-flows"].model_copy(update={"name": "vpc-flows"})
    judged = judge(preview([*found.values(), *twins, flows]), FACTS)
    said = {one.resource: one.unknown for one in judged.findings if one.rule == "AWS-NET-004"}
    assert said == {"vpc-x": True, "vpc-y": True}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_why_and_whence(rule: Any) -> None:
    title, _, address = rule.source.rpartition(": ")
    assert title.startswith(("AWS Well-Architected, ", "CIS AWS Foundations Benchmark "))
    assert address.startswith("https://docs.aws.amazon.com/")
    assert rule.why.endswith(".")
    assert rule.comply.endswith(".")
    assert not rule.title.endswith(".")
