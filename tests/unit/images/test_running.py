"""Which of the names of an image a target runs it by."""

from __future__ import annotations

from opsctl.images.configuration import IMAGE
from opsctl.images.engine import Held
from opsctl.images.running import _runnable
from opsctl.model.environment import Images

DIGEST = f"sha256:{'1' * 64}"


def held(*digests: str) -> Held:
    """Return an image of ours as an engine holds it."""
    return Held(
        id=f"sha256:{'0' * 64}",
        tags=(),
        digests=digests,
        bytes=1,
        labels={IMAGE: "strategy"},
        diff_ids=(),
    )


def test_ours_is_named_by_the_digest_that_the_environments_registry_gave_it() -> None:
    here = held(f"reg.example/quant2/strategy@{DIGEST}", f"reg.example/quant/strategy@{DIGEST}")
    wanted = Images(registry="reg.example/quant")
    assert _runnable("strategy", here, wanted).reference == f"reg.example/quant/strategy@{DIGEST}"


def test_the_digest_of_another_registry_is_no_name_of_it() -> None:
    here = held(f"reg.example/quant2/strategy@{DIGEST}")
    for wanted in (Images(registry="reg.example/quant"), Images()):
        assert _runnable("strategy", here, wanted).reference == here.id


def test_what_the_environment_names_is_run_by_that_name() -> None:
    own = Images(use={"strategy": DIGEST})
    assert _runnable("strategy", held(), own).reference == DIGEST
