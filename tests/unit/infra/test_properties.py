from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from opsctl.infra import properties
from opsctl.infra.previewed import SECRET, UNKNOWN, Property

LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
HIDDEN = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}


def kind(word: str, *, declared: bool = True) -> Any:
    return SimpleNamespace(diff_kind=word, input_diff=declared)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tags.owner", ("tags", "owner")),
        ("ingress[0].fromPort", ("ingress", 0, "fromPort")),
        ('tags["a.b"]', ("tags", "a.b")),
        ('tags["say \\"hi\\""].x', ("tags", 'say "hi"', "x")),
        ("rules[1][2]", ("rules", 1, 2)),
    ],
)
def test_a_path_is_read_and_written(text: str, path: tuple[str | int, ...]) -> None:
    assert properties.parsed(text) == path
    assert properties.written(path) == text


def test_secrets_are_masked_however_deep_and_later_values_are_named() -> None:
    shown = properties.readable(
        {"a": [{"password": HIDDEN}], "id": LATER, "port": 5432.0, "rate": 0.5, "__defaults": []}
    )
    assert shown == {"a": [{"password": SECRET}], "id": UNKNOWN, "port": 5432, "rate": 0.5}


def test_the_engine_names_what_differs_and_what_replaces() -> None:
    old, new = {"cidr": "10.0.0.0/16", "tags": {"a": "1"}}, {"cidr": "10.1.0.0/16", "tags": {}}
    found = properties.named(
        {"cidr": kind("update-replace"), "tags.a": kind("delete"), "__provider": kind("update")},
        declared=(old, new),
        there=(old, new),
    )
    assert found == (
        Property(path="cidr", old="10.0.0.0/16", new="10.1.0.0/16", replaces=True),
        Property(path="tags.a", old="1", new=None),
    )


def test_what_is_there_is_compared_where_the_engine_says_so() -> None:
    [found] = properties.named(
        {"size": kind("update", declared=False)},
        declared=({"size": 1}, {"size": 1}),
        there=({"size": 1}, {"size": 9}),
    )
    assert (found.old, found.new) == (1, 9)


def test_an_added_property_was_nothing_before() -> None:
    [found] = properties.named(
        {"tags.b": kind("add")},
        declared=({"tags": {}}, {"tags": {"b": "2"}}),
        there=({"tags": {"b": "a default of the provider"}}, {}),
    )
    assert (found.old, found.new) == (None, "2")


def test_without_words_of_the_engine_the_declarations_are_compared() -> None:
    old = {"name": "x", "rules": [{"port": 1.0}, {"port": 2.0}], "tags": ["a"], "__internal": "1"}
    new = {"name": "y", "rules": [{"port": 1.0}, {"port": 3.0}], "tags": ["a", "b"]}
    assert properties.compared(old, new, ("name",)) == (
        Property(path="name", old="x", new="y", replaces=True),
        Property(path="rules[1].port", old=2, new=3),
        Property(path="tags", old=["a"], new=["a", "b"]),
    )


def test_a_secret_is_in_no_difference() -> None:
    [found] = properties.compared({"p": "plain"}, {"p": HIDDEN})
    assert found.new == SECRET


def test_a_tag_is_shown_once_and_one_of_the_provider_alone_as_such() -> None:
    old = {"tags": {"owner": "a"}, "tagsAll": {"owner": "a", "firm": "x"}}
    new = {"tags": {"owner": "b"}, "tagsAll": {"owner": "b", "firm": "y"}}
    found = properties.compared(old, new)
    assert [one.path for one in found] == ["tags.owner", "tagsAll.firm"]
