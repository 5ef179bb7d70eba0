from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from opsctl.cli.guardrails import rendered
from opsctl.errors import UsageError
from opsctl.infra.guardrails import Judged, Verdict, judge
from opsctl.infra.previewed import UNKNOWN, Action
from tests.support.previews import FACTS, preview, put, resource, sound


def with_value(name: str, path: str, value: object) -> Judged:
    found = sound()
    found[name] = put(found[name], path, value)
    return judge(preview(found), FACTS)


def test_where_every_rule_holds_it_passes() -> None:
    judged = judge(preview(sound()), FACTS)
    assert (judged.verdict, judged.findings) == (Verdict.PASSED, ())


def test_an_empty_stack_passes() -> None:
    assert judge(preview([]), FACTS).verdict is Verdict.PASSED


def test_a_warning_refuses_nothing() -> None:
    judged = with_value("key", "enableKeyRotation", False)
    assert [one.rule for one in judged.findings] == ["AWS-ENC-005"]
    assert judged.verdict is Verdict.PASSED


def test_what_is_not_known_is_not_taken_for_safe() -> None:
    judged = with_value("data-a", "encrypted", UNKNOWN)
    assert [(one.rule, one.unknown) for one in judged.findings] == [("AWS-ENC-001", True)]
    assert judged.verdict is Verdict.UNKNOWN


def test_a_certain_fault_outweighs_an_uncertain_one() -> None:
    found = sound()
    found["data-a"] = put(found["data-a"], "encrypted", UNKNOWN)
    found["data-b"] = put(found["data-b"], "encrypted", False)
    assert judge(preview(found), FACTS).verdict is Verdict.REFUSED


def test_a_finding_says_what_is_wrong_where_and_how_to_comply() -> None:
    (found,) = with_value("data-a", "encrypted", False).findings
    assert found.resource == "data-a"
    assert found.type == "aws:ebs/volume:Volume"
    assert found.urn == sound()["data-a"].urn
    assert found.problem == "the volume is not encrypted"
    assert found.comply.startswith("Set `encrypted: true`")


def test_replace_data_that_names_nothing_is_refused_with_the_nearest() -> None:
    found = sound()
    found["data-a"] = found["data-a"].model_copy(update={"action": Action.REPLACE})
    facts = FACTS.model_copy(update={"replace_data": ("dataa",)})
    with pytest.raises(UsageError, match="--replace-data dataa") as caught:
        judge(preview(found), facts)
    assert caught.value.hint == "did you mean --replace-data data-a?"


def test_replace_data_where_nothing_goes_is_to_be_left_out() -> None:
    facts = FACTS.model_copy(update={"replace_data": ("data-a",)})
    with pytest.raises(UsageError) as caught:
        judge(preview(sound()), facts)
    assert caught.value.hint == "leave it out"


def test_the_result_goes_through_json() -> None:
    judged = with_value("data-a", "encrypted", False)
    assert TypeAdapter(Judged).validate_json(judged.model_dump_json()) == judged
    assert set(Judged.model_json_schema(mode="serialization")["required"]) == {
        "environment",
        "verdict",
        "rules",
        "findings",
        "cost",
    }


def test_what_is_judged_is_named_by_the_engine_whatever_its_type() -> None:
    # A type that no rule knows is neither refused nor the end of the command.
    found = [*sound().values(), resource("aws:sqs/queue:Queue", "queue", {"name": UNKNOWN})]
    assert judge(preview(found), FACTS).findings == ()


def test_people_see_the_worst_first() -> None:
    from rich.console import Console

    found = sound()
    found["key"] = put(found["key"], "enableKeyRotation", False)
    found["data-a"] = put(found["data-a"], "encrypted", UNKNOWN)
    found["logs"] = put(found["logs"], "kmsKeyId", None)
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as caught:
        console.print(rendered(judge(preview(found), FACTS)))
    shown = caught.get()
    at = [shown.index(rule) for rule in ("AWS-ENC-004", "AWS-ENC-001", "AWS-ENC-005")]
    assert at == sorted(at)
    assert "1 refused, 1 unknown, 1 warning" in shown
    assert "by list prices of 2025-01 in eu-central-1" in shown


def test_people_see_one_line_where_nothing_is_found() -> None:
    said = rendered(judge(preview(sound()), FACTS))
    assert isinstance(said, str)
    assert "nothing found" in said
