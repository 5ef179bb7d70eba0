"""What pydantic refused, in the words of the file: what would be right, and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from opsctl.model.faults import Path

SHOWN = 40
"""Characters of a refused value that are shown."""

_BRANCHES = {"int": "int_", "str": "string_", "bool": "bool_"}
"""What pydantic appends to the path of a union, and how the faults of that branch begin."""

Context = Mapping[str, Any]

_RULES: dict[str, Callable[[Context], str]] = {
    "missing": lambda _: "is required",
    "greater_than": lambda c: f"must be > {c['gt']}",
    "greater_than_equal": lambda c: f"must be >= {c['ge']}",
    "less_than": lambda c: f"must be < {c['lt']}",
    "less_than_equal": lambda c: f"must be <= {c['le']}",
    "enum": lambda c: f"must be one of {_words(c['expected'])}",
    "literal_error": lambda c: f"must be one of {_words(c['expected'])}",
    "decimal_max_places": lambda c: f"must have at most {c['decimal_places']} decimal places",
    "decimal_max_digits": lambda c: f"must have at most {c['max_digits']} digits",
    "decimal_whole_digits": lambda c: (
        f"must have at most {c['whole_digits']} digits before its point"
    ),
    "string_pattern_mismatch": lambda c: f"must match {c['pattern']}",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "value_error": lambda c: str(c["error"]),
}
_KINDS = (
    (("int_",), "must be a whole number"),
    (("decimal_", "finite_number"), "must be a number"),
    (("bool_",), "must be true or false"),
    (("date_",), "must be a date such as 2010-01-04"),
    (("string_",), "must be text"),
    (("model_", "dict_", "mapping_"), "must be a mapping of settings"),
    (("tuple_", "list_"), "must be a list"),
)


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    """Yield the path and the problem of every fault, each place once."""
    union: dict[Path, object] = {}
    for fault in error.errors(include_url=False):
        path, kind = tuple(str(part) for part in fault["loc"]), fault["type"]
        if path[-1] == "[key]":
            yield path[:-1], "is no name: lower-case letters, digits and underscores make one"
        elif path[-1] in _BRANCHES and kind.startswith(_BRANCHES[path[-1]]):
            union[path[:-1]] = fault["input"]
        else:
            yield path, _problem(kind, fault.get("ctx", {}), fault["input"], path, model)
    for path, value in union.items():
        yield path, f"must be a number, text, true or false{_instead(value)}"


def _problem(kind: str, context: Context, value: object, path: Path, model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        known = tuple(_model_at(model, path[:-1]).model_fields)
        near = meant(path[-1], known)
        return (
            f"is no setting: did you mean {near}?"
            if near
            else ("is no setting: known are " + ", ".join(known))
        )
    if kind == "missing" and path:
        field = _model_at(model, path[:-1]).model_fields[path[-1]]
        choices = _choices(field.annotation)
        return "is required" + (f": one of {', '.join(choices)}" if choices else "")
    if kind in _RULES:
        return _RULES[kind](context) + _instead(value)
    for prefixes, said in _KINDS:
        if kind.startswith(prefixes):
            return said + _instead(value)
    return f"is not valid ({kind})" + _instead(value)


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant; None where none is near."""
    by_form = {name.replace("-", "_"): name for name in known}
    form = word.lower().replace("-", "_")
    near = difflib.get_close_matches(form, by_form, n=1)
    if near:
        return by_form[near[0]]
    # max_notional -> max_order_notional_usd: every word of it is there, only others are too.
    parts = set(form.split("_"))
    return next((name for key, name in by_form.items() if parts <= set(key.split("_"))), None)


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for key in path:
        if key not in model.model_fields:  # a name of the file's own, below a mapping
            continue
        annotation = model.model_fields[key].annotation
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return model


def _choices(annotation: object) -> tuple[str, ...]:
    members = getattr(annotation, "__members__", None) or get_args(annotation)
    if isinstance(members, Mapping):
        return tuple(str(member) for member in members.values())
    return tuple(str(member) for member in members or ())


def _words(expected: str) -> str:
    return expected.replace("'", "").replace(" or ", ", ")


def _instead(value: object) -> str:
    """Return `, not VALUE` for what was refused; nothing for what is too large to show."""
    if isinstance(value, str):
        return f", not {_cut(repr(value))}"
    if value is None or isinstance(value, dict | list | tuple):
        return ""
    if isinstance(value, int) and value.bit_length() > 256:
        return ""  # Python refuses to write integers of thousands of digits
    return f", not {_cut(str(value))}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
