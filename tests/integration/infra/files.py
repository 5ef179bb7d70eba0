"""Resources that are files on this disk: what exists, a second copy, and drift are real.

A dynamic provider of Pulumi. Each creation makes a file of a new number, so that a second one
is a second file; the file says what it was declared as.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi
from pulumi.dynamic import (
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

FAILING = "fail"
"""A file of this name in the folder holds the names of files that cannot be made."""
GATE = "gate"
"""A folder: `NAME.begun` appears when NAME is about to be made; `NAME.hold` keeps it waiting."""


class Files(ResourceProvider):
    """Makes, changes, reads and deletes files."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        folder = Path(props["folder"])
        _gate(folder, props["name"])
        if props["name"] in _failing(folder):
            raise Exception(f"no room for {props['name']}")  # noqa: TRY002 - as providers do
        for number in range(1, 1000):
            path = folder / f"{props['name']}-{number}.json"
            try:
                with path.open("x") as file:
                    json.dump(_content(props), file)
            except FileExistsError:
                continue
            _gate(folder, f"{props['name']}.made")
            return CreateResult(id_=path.name, outs=dict(props))
        raise AssertionError

    def diff(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> DiffResult:
        differing = [key for key in ("name", "text", "secret") if old.get(key) != new.get(key)]
        return DiffResult(
            changes=bool(differing),
            replaces=["name"] if "name" in differing else [],
            delete_before_replace=False,
        )

    def update(self, _id: str, old: dict[str, Any], new: dict[str, Any]) -> UpdateResult:
        (Path(new["folder"]) / _id).write_text(json.dumps(_content(new)))
        return UpdateResult(outs=dict(new))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        path = Path(props["folder"]) / id_
        if not path.exists():
            return ReadResult(id_="", outs={})
        return ReadResult(id_=id_, outs={**props, **json.loads(path.read_text())})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        _gate(Path(props["folder"]), f"{props['name']}.deleting")
        (Path(props["folder"]) / _id).unlink(missing_ok=True)


class File(Resource):
    """One file."""

    text: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        folder: Path,
        text: pulumi.Input[str],
        *,
        secret: pulumi.Input[str] = "",
        file: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"name": file or name, "folder": str(folder), "text": text, "secret": secret}
        super().__init__(Files(), name, props, opts)


class Group(pulumi.ComponentResource):
    """Holds files together."""

    def __init__(self, name: str) -> None:
        super().__init__("trading:test:Group", name)


def _content(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in ("name", "text")}


def _failing(folder: Path) -> list[str]:
    path = folder / FAILING
    return path.read_text().split() if path.exists() else []


def _gate(folder: Path, name: str) -> None:
    """Say that something begins, and wait while a test holds it; bounded, lest it be orphaned."""
    gate = folder / GATE
    if not gate.is_dir():
        return
    (gate / f"{name}.begun").write_text(str(os.getpid()))
    deadline = time.monotonic() + 60
    while (gate / f"{name}.hold").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


Declared = Callable[[], None]


def declared(
    folder: Path,
    texts: dict[str, str],
    *,
    secret: str = "",
    files: Mapping[str, str] = MappingProxyType({}),
) -> Declared:
    """Return a program that declares a file of each name with its text, the first in a group.

    `files` says how the file of a name is called, where it is called otherwise.
    """

    def program() -> None:
        group = Group("group")
        for name, text in texts.items():
            hidden = pulumi.Output.secret(secret) if secret else ""
            opts = pulumi.ResourceOptions(parent=group)
            File(name, folder, text, secret=hidden, file=files.get(name, ""), opts=opts)
        pulumi.export("count", len(texts))
        if secret:
            pulumi.export("secret", pulumi.Output.secret(secret))

    return program
