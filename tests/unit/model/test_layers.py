from __future__ import annotations

from opsctl.model.layers import Leaf, Origin, Tree, leaves, origin_at, overlay, plain

LOW, HIGH = Origin(kind="file", file="low"), Origin(kind="flag")


def leaf(value: object, origin: Origin = LOW) -> Leaf:
    return Leaf(value=value, origin=origin)


def test_mappings_merge_by_key_and_the_upper_leaf_wins() -> None:
    below: Tree = {"limits": {"a": leaf(1), "b": leaf(2)}, "tier": leaf("daily")}
    above: Tree = {"limits": {"b": leaf(3, HIGH)}}
    merged = overlay(below, above)
    assert plain(merged) == {"limits": {"a": 1, "b": 3}, "tier": "daily"}
    assert origin_at(merged, ("limits", "a")) == LOW
    assert origin_at(merged, ("limits", "b")) == HIGH
    assert plain(below) == {"limits": {"a": 1, "b": 2}, "tier": "daily"}


def test_an_empty_mapping_changes_nothing_below_it() -> None:
    below: Tree = {"limits": {"a": leaf(1)}}
    assert overlay(below, {"limits": leaf({})}) == below
    assert plain(overlay({}, {"limits": leaf({})})) == {"limits": {}}


def test_a_leaf_and_a_mapping_replace_one_another() -> None:
    assert plain(overlay({"a": leaf(1)}, {"a": {"b": leaf(2)}})) == {"a": {"b": 2}}
    assert plain(overlay({"a": {"b": leaf(2)}}, {"a": leaf(1)})) == {"a": 1}


def test_origin_of_a_mapping_is_that_of_what_it_holds() -> None:
    tree: Tree = {"a": {"b": leaf(1)}}
    assert origin_at(tree, ("a",)) == LOW
    assert origin_at(tree, ("a", "b", "c")) == LOW
    assert origin_at(tree, ("a", "x")) is None
    assert origin_at(tree, ("x",)) is None


def test_leaves_of_nested_mappings() -> None:
    assert list(leaves({"a": {"b": 1, "c": {}}, "d": 2})) == [
        (("a", "b"), 1),
        (("a", "c"), {}),
        (("d",), 2),
    ]


def test_origin_in_words() -> None:
    assert str(Origin(kind="file", file="Pulumi.x.yaml", line=7)) == "Pulumi.x.yaml, line 7"
    assert str(Origin(kind="file", file="Pulumi.x.yaml")) == "Pulumi.x.yaml"
    assert str(HIGH) == "flag"
