from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from opsctl import schemas
from opsctl.schemas.__main__ import main


@pytest.mark.parametrize("name", schemas.RESULTS)
def test_every_schema_file_is_current_and_is_a_schema(name: str) -> None:
    text = schemas.path(name).read_text()
    assert text == schemas.text(name), "run: python -m opsctl.schemas --write"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_there_is_no_schema_file_of_nothing() -> None:
    assert schemas.outdated() == []
    assert main([]) == 0


def test_write_makes_what_is_missing_and_removes_what_is_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: schemas.RESULTS[name] for name in ("env-list", "evidence-verify")}
    monkeypatch.setattr(schemas, "RESULTS", few)
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    (tmp_path / "gone.json").write_text("{}")
    assert main([]) == 1
    assert main(["--write"]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(few)
    assert main([]) == 0
    next(tmp_path.iterdir()).write_text("{}")
    assert main([]) == 1


def test_other_words_are_a_mistake() -> None:
    assert main(["--wrte"]) == 2


def test_what_is_registered_must_be_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schemas.RESULTS, "wrong", "opsctl.schemas:FOLDER")
    with pytest.raises(TypeError, match="is no pydantic model"):
        schemas.result_model("wrong")
