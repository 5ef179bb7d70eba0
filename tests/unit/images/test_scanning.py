"""What pip-audit answers becomes findings by image, and what it skipped is said."""

from __future__ import annotations

from typing import Any

from opsctl.images.scanning import _audited

ANSWER: list[dict[str, Any]] = [
    {"name": "valkey", "version": "6.1.0", "vulns": []},
    {
        "name": "starlette",
        "version": "0.40.0",
        "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["0.41.0"], "aliases": []}],
    },
]


def test_a_finding_names_the_images_that_carry_the_package() -> None:
    looked, (finding,) = _audited(ANSWER, {"starlette": {"data", "desk"}}, "here")
    assert (looked.asked, looked.packages) == (True, 2)
    assert (finding.package, finding.id, finding.fixed_in) == (
        "starlette",
        "PYSEC-2099-1",
        ("0.41.0",),
    )
    assert finding.images == ("data", "desk")


def test_a_package_that_was_skipped_was_not_asked_about() -> None:
    looked, _ = _audited([*ANSWER, {"name": "ours", "skip_reason": "not on PyPI"}], {}, "here")
    assert (looked.asked, looked.packages) == (False, 2)
    assert "ours" in looked.why
