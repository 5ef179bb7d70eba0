"""`opsctl drill show` and `report`: what they answer, and what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from opsctl import schemas
from opsctl.drills import report
from opsctl.drills.outcome import Series, summary
from opsctl.drills.recording import files, reading
from tests.support.drilled import CLIENT, made
from tests.support.drilled_files import RUN, seal, write
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget


@pytest.fixture
def run(opsctl: Opsctl) -> Path:
    return write(made(40), Path(os.environ["OPSCTL_STATE"]) / "runs" / RUN)


def test_the_life_of_an_order_is_shown(opsctl: Opsctl, run: Path) -> None:
    order = f"{CLIENT}-9-1"
    done = opsctl("drill", "show", RUN, "--order", order, "--output", "json")
    assert done.code == 0
    jsonschema.validate(done.json, schemas.schema("drill-show"))
    assert (done.json["order"], done.json["epoch"], done.json["outcome"]) == (order, 3, "filled")
    assert done.json["doubts"][0]["cause"] == "epoch 4 began while it was unanswered"
    shown = opsctl("drill", "show", RUN, "--order", order).out
    assert "entered again" in shown
    assert "in doubt from" in shown


def test_without_an_order_those_around_the_fault_are_shown(opsctl: Opsctl, run: Path) -> None:
    done = opsctl("drill", "show", str(run), "--output", "json")
    jsonschema.validate(done.json, schemas.schema("drill-show"))
    assert {f"{CLIENT}-9-1", f"{CLIENT}-10-0"} <= {each["order"] for each in done.json["lives"]}
    assert (done.json["orders"], done.json["changed"]) == (40, [])
    assert f"{CLIENT}-9-1" in opsctl("drill", "show", RUN).out


def test_an_order_or_a_run_that_is_not_there_is_refused(opsctl: Opsctl, run: Path) -> None:
    done = opsctl("drill", "show", RUN, "--order", "nobody")
    assert done.code == 2
    assert "names an order nobody" in done.err
    for words in (("show", "nowhere"), ("report", "nowhere"), ("report", RUN[:-1] + "0")):
        done = opsctl("drill", *words)
        assert done.code == 2
        assert "holds no recorded run" in done.err


def test_a_report_is_made_again_the_same(opsctl: Opsctl, run: Path) -> None:
    done = opsctl("drill", "report", RUN, "--output", "json")
    assert done.code == 0
    jsonschema.validate(done.json, schemas.schema("drill-report"))
    first = {path: Path(path).read_bytes() for path in (done.json["markdown"], done.json["html"])}
    assert opsctl("drill", "report", RUN).code == 0
    for path, content in first.items():
        assert Path(path).read_bytes() == content
    assert opsctl("drill", "report", RUN, "--format", "html").out.encode() in first.values()
    assert opsctl("drill", "report", RUN, "--format", "md").out.encode() in first.values()


def test_a_report_of_a_run_that_was_changed_says_so(opsctl: Opsctl, run: Path) -> None:
    (run / "timeline.jsonl").write_text("")
    done = opsctl("drill", "report", RUN, "--output", "json")
    assert done.json["changed"] == ["timeline.jsonl is not what was sealed"]
    assert "not as it was sealed" in opsctl("drill", "report", RUN).out


def test_the_report_of_a_series_is_made_again_from_its_runs(opsctl: Opsctl, run: Path) -> None:
    other = write(made(60), run.with_name(f"{RUN[:-1]}f"))
    facts = json.loads((other / "drill.json").read_text()) | {"id": other.name}
    (other / "drill.json").write_text(json.dumps(facts))
    seal(other)
    runs = tuple(
        reading.facts(each).model_copy(update={"evidence": files.evidence_of(each)})
        for each in (run, other)
    )
    whole = Series(
        scenario="leader-kill",
        environment="intraday",
        verdict="passed",
        runs=runs,
        summary=summary(runs),
    )
    written = Path(report.series(whole, other).report)
    first = {path: path.read_bytes() for path in (written, written.with_suffix(".html"))}
    for path in first:
        path.unlink()
    done = opsctl("drill", "report", other.name, "--series", "--output", "json")
    assert done.code == 0, done.err
    jsonschema.validate(done.json, schemas.schema("drill-report"))
    assert (done.json["runs"], done.json["changed"]) == ([RUN, other.name], [])
    assert {path: path.read_bytes() for path in first} == first
    page = opsctl("drill", "report", other.name, "--series", "--format", "md").out
    assert page.encode() == first[written]
    assert "2 runs" in opsctl("drill", "report", other.name, "--series").out

    (run / "timeline.jsonl").write_text("")
    seal(run)
    done = opsctl("drill", "report", other.name, "--series", "--output", "json")
    assert done.json["changed"] == [f"{RUN}: manifest.json is not that of the series"]
    run.rename(run.with_name("elsewhere"))
    done = opsctl("drill", "report", other.name, "--series")
    assert (done.code, f"run {RUN} of the series is missing" in done.err) == (1, True)


def test_a_series_of_a_run_that_ended_none_is_refused(opsctl: Opsctl, run: Path) -> None:
    done = opsctl("drill", "report", RUN, "--series")
    assert done.code == 2
    assert "holds no series" in done.err
    done = opsctl("drill", "report", "--period", "12m", "--series")
    assert done.code == 2
    assert "give one of them" in done.err


def test_a_period_lists_what_was_drilled_and_what_was_not(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    opsctl("deploy", "daily", "--no-verify")
    opsctl("drill", "run", "leader-kill", "daily")
    done = opsctl("drill", "report", "--period", "12m", "daily", "--output", "json")
    assert done.code == 0
    jsonschema.validate(done.json, schemas.schema("drill-report"))
    [tested] = done.json["tested"]
    assert (tested["scenario"], tested["verdicts"], tested["met"]) == (
        "leader-kill",
        {"blocked": 1},
        False,
    )
    assert {"leader-kill", "site-loss"} <= set(done.json["untested"])
    assert "1 blocked" in opsctl("drill", "report", "--period", "1y").out
    assert opsctl("drill", "report", "--period", "12m", "intraday", "-o", "json").json["runs"] == 0
    page = opsctl("drill", "report", "--period", "12m", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "DORA" in page


@pytest.mark.parametrize("words", [(), ("--period", "a year"), ("--period", "0d")])
def test_what_cannot_be_meant_is_refused(opsctl: Opsctl, words: tuple[str, ...]) -> None:
    done = opsctl("drill", "report", *words)
    assert done.code == 2
    assert "12m" in done.err
