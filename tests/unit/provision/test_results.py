"""What an audit prints is what was promised, as JSON, as metrics and as one HTML file."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opsctl import schemas
from opsctl.errors import OpsctlError
from opsctl.model.profile.profile import Verdict
from opsctl.provision import metrics, recording, reporting
from opsctl.provision.auditing import EXIT
from opsctl.provision.results import Audited, held, worst
from opsctl.toolchain import programs
from tests.unit.provision.audits import FINDINGS, GONE, TUNED, audited


def test_the_json_has_the_promised_keys_and_fits_its_schema() -> None:
    printed = json.loads(audited(TUNED, GONE).model_dump_json())
    jsonschema.validate(printed, schemas.schema("audit-host"))
    first = printed["hosts"][0]
    assert {"host", "profile", "digest", "verdict", "findings"} <= set(first)
    assert {"setting", "want", "got", "verdict"} <= set(first["findings"][0])


@pytest.mark.parametrize(
    ("verdicts", "found", "code"),
    [
        (["holds", "not_applicable"], "holds", 0),
        (["holds", "reboot"], "reboot", 3),
        (["reboot", "unreadable"], "unreadable", 3),
        (["unreadable", "drifted", "reboot"], "drifted", 3),
        (["drifted", "failed"], "failed", 1),
        ([], "holds", 0),
    ],
)
def test_the_worst_decides(verdicts: list[str], found: str, code: int) -> None:
    assert worst(verdicts) == found
    assert EXIT[worst(verdicts)] == code


def test_what_does_not_hold_is_told_apart_from_what_does_not_apply() -> None:
    found = held(FINDINGS)
    assert found.counts == dict.fromkeys(
        (Verdict.DRIFTED, Verdict.HOLDS, Verdict.NOT_APPLICABLE, Verdict.REBOOT), 1
    )
    assert [one.setting for one in found.not_holding] == [
        "sysctl.vm.swappiness",
        "cmdline.isolcpus",
    ]


class TestMetrics:
    """The file for node_exporter."""

    def test_a_setting_that_applies_has_a_value_and_a_box_its_counts(self) -> None:
        text = metrics.text(audited(TUNED, GONE))
        assert 'opsctl_box_setting_holds{host="ny4-1",setting="sysctl.vm.swappiness"} 0' in text
        assert 'opsctl_box_setting_holds{host="ny4-1",setting="sysctl.vm.stat_interval"} 1' in text
        assert "sysfs.governor" not in text
        assert 'opsctl_box_drifted_settings{host="ny4-1"} 1' in text
        assert 'opsctl_box_settings_awaiting_reboot{host="ny4-1"} 1' in text
        assert 'opsctl_box_audit_timestamp_seconds{host="ny4-1"} 1795988400' in text
        assert r'opsctl_box_audited{host="ny4-\"2\""} 0' in text
        assert r'drifted_settings{host="ny4-\"2\""}' not in text

    def test_prometheus_can_read_it(self) -> None:
        done = subprocess.run(
            [str(programs.path("prometheus", "promtool")), "check", "metrics"],
            input=metrics.text(audited(TUNED, GONE)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_it_is_written_whole_for_others_to_read(self, tmp_path: Path) -> None:
        path = tmp_path / "boxes.prom"
        metrics.write(audited(TUNED), path)
        assert path.read_text() == metrics.text(audited(TUNED))
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert [one.name for one in tmp_path.iterdir()] == ["boxes.prom"]

    def test_a_folder_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(OpsctlError, match="the metrics cannot be written"):
            metrics.write(audited(TUNED), tmp_path / "none" / "boxes.prom")


class TestReport:
    """The HTML file."""

    def test_it_has_what_does_not_hold_and_folds_the_rest(self, tmp_path: Path) -> None:
        found = reporting.write(audited(TUNED, GONE), tmp_path)
        page = Path(found.report).read_text()
        assert page.count("sysctl.vm.swappiness") == 2  # what does not hold, and since when
        before, _, folded = page.partition("<details")
        assert "sysctl.vm.stat_interval" not in before
        assert "sysctl.vm.stat_interval" in folded
        assert "a guest has &lt;no&gt; governor" in folded
        assert "nothing listens there" in page

    def test_it_takes_nothing_from_a_network(self, tmp_path: Path) -> None:
        page = Path(reporting.write(audited(TUNED), tmp_path).report).read_text()
        assert "default-src 'none'" in page
        assert "http" not in page.replace("http-equiv", "")


def test_the_evidence_says_what_does_not_hold_and_the_folder_has_all(tmp_path: Path) -> None:
    found = audited(TUNED, GONE)
    kept: Any = recording.keep(found, tmp_path)
    first, second = kept["hosts"]
    assert first["not_holding"] == ["sysctl.vm.swappiness", "cmdline.isolcpus"]
    assert first["counts"]["holds"] == 1
    assert first["changed"] == ["sysctl.vm.swappiness"]
    assert (second["verdict"], "nothing listens there" in second["failure"]) == ("failed", True)
    assert len(json.dumps(kept)) < len(found.model_dump_json()) / 2
    assert Audited.model_validate_json((tmp_path / "result.json").read_text()) == found
