from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from opsctl.errors import UsageError
from opsctl.infra.guardrails import Judged, Verdict, judge
from opsctl.infra.previewed import Action, Preview
from tests.support.previews import FACTS, preview, put, sound


@dataclass(frozen=True)
class Waiver:
    """As the model of an environment file has it."""

    rule: str
    resource: str = "*"
    reason: str = "the vendor reads it until the migration"
    owner: str = "trading@firm.example"
    expires: date = FACTS.today


def faulty() -> Preview:
    """Return a preview in which two volumes are not encrypted."""
    found = sound()
    for name in ("data-a", "data-b"):
        found[name] = put(found[name], "encrypted", False)
    return preview(found)


def refused(*waivers: Waiver) -> list[str]:
    with pytest.raises(UsageError) as caught:
        judge(faulty(), FACTS, waivers)
    assert "trading:aws" in caught.value.hint
    return list(caught.value.details)


def waived(judged: Judged) -> set[str]:
    return {one.resource for one in judged.findings if one.waived}


@pytest.mark.parametrize("rule", ["AWS-ENC-001", "aws-enc-001"])
def test_a_pattern_waives_every_name_that_it_matches(rule: str) -> None:
    judged = judge(faulty(), FACTS, [Waiver(rule, "data-*")])
    assert waived(judged) == {"data-a", "data-b"}
    assert judged.verdict is Verdict.PASSED
    said = judged.findings[0].waived
    assert said
    assert (said.owner, said.expires) == ("trading@firm.example", FACTS.today)
    assert said.reason == "the vendor reads it until the migration"


def test_what_no_waiver_names_is_refused_still() -> None:
    judged = judge(faulty(), FACTS, [Waiver("AWS-ENC-001", "data-a")])
    assert waived(judged) == {"data-a"}
    assert judged.verdict is Verdict.REFUSED


def test_a_finding_of_the_whole_is_waived_by_the_name_of_the_environment() -> None:
    facts = FACTS.model_copy(update={"cost_usd_year": (0, 1_000)})
    judged = judge(preview(sound()), facts, [Waiver("AWS-COST-001", "desk")])
    assert waived(judged) == {"desk"}


def test_a_waiver_ends_with_its_last_day() -> None:
    (said,) = refused(Waiver("AWS-ENC-001", "data-*", expires=date(2026, 3, 1)))
    assert said == (
        "waiver 1 (AWS-ENC-001 of data-*): it expired on 2026-03-01: comply, or give it another "
        "day and reason"
    )


def test_a_rule_that_is_not_there_is_refused_with_the_nearest() -> None:
    (said,) = refused(Waiver("AWS-ENC-01"))
    assert "there is no such rule, did you mean AWS-ENC-001?" in said


def test_a_rule_like_no_other_is_refused_without_a_guess() -> None:
    (said,) = refused(Waiver("encryption"))
    assert said.endswith("there is no such rule")


def test_a_waiver_that_waives_nothing_is_refused() -> None:
    (said,) = refused(Waiver("AWS-ENC-001", "data-*"), Waiver("AWS-ENC-001", "host-*"))
    assert said == "waiver 2 (AWS-ENC-001 of host-*): it waives nothing: remove it"


def test_a_second_waiver_of_the_same_is_of_use() -> None:
    # Both match; who wrote the second is not told that it waives nothing.
    both = [Waiver("AWS-ENC-001", "data-*"), Waiver("AWS-ENC-001", "data-a")]
    assert waived(judge(faulty(), FACTS, both)) == {"data-a", "data-b"}


def test_nobody_waives_without_a_reason_and_an_owner() -> None:
    said = refused(Waiver("AWS-ENC-001", "data-*", reason=" ", owner=""))
    assert [one.partition("): ")[2] for one in said] == [
        "say why it need not hold, in `reason`",
        "name who answers for it, in `owner`",
    ]


def test_every_fault_is_told_at_once() -> None:
    said = refused(Waiver("nothing"), Waiver("AWS-NET-001"), Waiver("AWS-CHG-002"))
    assert [one[:8] for one in said] == ["waiver 1", "waiver 2", "waiver 3"]


def test_the_blast_radius_is_not_for_a_file_to_waive() -> None:
    found = sound()
    found["data-a"] = found["data-a"].model_copy(update={"action": Action.REPLACE})
    with pytest.raises(UsageError) as caught:
        judge(preview(found), FACTS, [Waiver("AWS-CHG-002", "data-a")])
    assert "--replace-data NAME" in caught.value.details[0]
