"""The page of profiles: it has every setting, is current, and its example is a sound file."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from opsctl import schemas
from opsctl.model.profile.catalogue import SETTINGS
from opsctl.model.profile.own import read
from opsctl.model.profile.profile import Verdict
from tests.support import generated, profiles


def test_the_page_is_what_the_catalogue_says() -> None:
    text = profiles.PAGE.read_text()
    assert text == profiles.page(text), "run: make docs"
    missing = [setting.id for setting in SETTINGS if f"| `{setting.id}`" not in text]
    assert missing == []
    for verdict in Verdict:
        assert f"| `{verdict}` |" in text


def test_a_page_that_lost_its_mark_is_not_written_over() -> None:
    with pytest.raises(SystemExit, match="has lost its mark"):
        profiles.page("# Profiles\n")


def test_a_setting_that_is_new_makes_the_page_outdated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["profiles"])
    assert generated.main(profiles.PAGE, profiles.page) == 0
    more = SETTINGS[0].model_copy(update={"id": "cmdline.more"})
    monkeypatch.setattr(profiles, "SETTINGS", (*SETTINGS, more))
    assert generated.main(profiles.PAGE, profiles.page) == 1
    assert "is not current: make docs" in capsys.readouterr().err


def test_the_example_of_a_firms_own_profile_is_sound_and_fits_the_schema() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", profiles.PAGE.read_text(), re.DOTALL)
    found = read("ours", example)
    assert found.layout.trading == "4-7"
    assert found.settings["file.sfc"].want.startswith("options sfc")
    schema = json.loads(schemas.text("profile-file"))
    # YAML 1.1 reads a bare `off` as a switch; opsctl reads 1.2.
    plain = yaml.safe_load(example.replace("mitigations: off", "mitigations: 'off'"))
    off = {"off" if key is False else key: value for key, value in plain.items()}
    jsonschema.validate(off, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**off, "trading_nic": []}, schema)
