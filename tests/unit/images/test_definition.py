"""The definitions of the images agree with the catalogue, the toolchain and the lock file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from opsctl.errors import UsageError
from opsctl.images.definition import AppImage, ServerImage, chosen, definitions, of_service
from opsctl.services.catalogue import NAMES
from opsctl.toolchain.registry import program

REPOSITORY = Path(__file__).parents[3]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_every_service_of_the_catalogue_runs_in_one_image() -> None:
    services = [service for image in definitions() for service in image.services]
    assert sorted(services) == sorted(NAMES)
    assert of_service("projector").name == "execution"


def test_programs_and_apps_exist() -> None:
    for image in definitions():
        if isinstance(image, ServerImage):
            assert program(image.program)
        else:
            assert (REPOSITORY / "apps" / image.app / "__main__.py").is_file()


def test_groups_are_declared_and_hold_no_more_than_the_package_declares() -> None:
    groups = PROJECT["dependency-groups"]
    declared = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["apps"],
    ]
    used = {group for i in definitions() if isinstance(i, AppImage) for group in i.groups}
    assert used <= set(groups)
    for group in used:
        assert set(groups[group]) <= set(declared), group


def test_every_dependency_of_the_apps_is_in_a_group() -> None:
    groups = {
        name: re.split(r"[=<>\[]", entry)[0]
        for i in definitions()
        if isinstance(i, AppImage)
        for group in i.groups
        for entry in PROJECT["dependency-groups"][group]
        for name in [re.split(r"[=<>\[]", entry)[0]]
    }
    extra = PROJECT["project"]["optional-dependencies"]["apps"]
    assert {re.split(r"[=<>\[]", entry)[0] for entry in extra} <= set(groups)


def test_only_the_strategy_carries_the_optimizer() -> None:
    carrying = [
        i.name for i in definitions() if isinstance(i, AppImage) and "optimizer" in i.groups
    ]
    assert carrying == ["strategy"]


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        chosen(("exection",))
    assert "did you mean execution?" in caught.value.hint


def test_no_name_means_all_and_a_name_twice_once() -> None:
    assert chosen(()) == definitions()
    assert [image.name for image in chosen(("desk", "desk"))] == ["desk"]
