"""Layers of dependencies: one for each dependency group, from the lock file."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from functools import partial
from importlib import metadata
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.images import layers
from opsctl.images.definition import AppImage, Base, base
from opsctl.images.layers import Component
from opsctl.images.source import Source, normal, uv
from opsctl.images.store import Recipe, Say
from opsctl.toolchain import commands

LIBRARY = "opt/trading/lib"
"""Where dependencies lie in an image."""

_FORMAT = 1
_DROPPED = (
    *("bin/*", "*/tests/*", "*.pyi", "*/include/*.h", "*.pxd", "*.pyx"),
    *("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED"),
    # What these two say is of the machine that installed, an address with a password maybe.
    *("*.dist-info/direct_url.json", "*.dist-info/uv_*.json"),
    "share/man/*",
)
_BLOCK = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*).*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def recipes(image: AppImage, source: Source) -> tuple[Recipe, ...]:
    """Return the layers of an app's dependencies, the one that all apps share first."""
    shared = requirements(source, image.groups[0])
    found = [_of_group(source, image.groups[0], shared)]
    for group in image.groups[1:]:
        own = requirements(source, group)
        kept = {name: text for name, text in own.items() if name not in shared}
        if kept:
            found.append(_of_group(source, group, kept))
    for distribution, patterns in image.files.items():
        found.append(_of_files(source, distribution, patterns))
    return tuple(found)


def requirements(source: Source, group: str) -> dict[str, str]:
    """Return what a group needs, by name: versions with their markers and hashes."""
    argv = [uv(source), "export", "--frozen", "--quiet", "--project", str(source.locks)]
    argv += ["--only-group", group, "--no-emit-project", "--no-header", "--no-annotate"]
    lines: list[str] = []
    try:
        commands.run(argv, line=lines.append)
    except commands.CommandFailed as error:
        raise OpsctlError(
            f"uv.lock does not give the dependency group {group}: {error.message}",
            hint="uv lock",
            details=error.details,
        ) from error
    found: dict[str, str] = {}
    for block in _BLOCK.finditer("\n".join(lines) + "\n"):
        # One that differs by the interpreter's version is there several times.
        name = normal(block["name"])
        found[name] = found.get(name, "") + block[0]
    return found


def refuse_other_machine(wanted: Base) -> None:
    """Refuse a machine whose compiled code would not run in the image.

    Raises:
        OpsctlError: its Python is another, or its C library is newer.
    """
    name, version = platform.libc_ver()
    ours = tuple(int(part) for part in version.split(".")) if name == "glibc" else (99,)
    most = tuple(int(part) for part in wanted.glibc.split("."))
    if platform.machine() != "x86_64" or ours > most:
        raise OpsctlError(
            f"images are made for x86-64 and glibc {wanted.glibc}: what is compiled here "
            f"({platform.machine()}, {name or 'no glibc'} {version}) would not run in them",
            hint=f"build on Debian {wanted.suite}, opsctl images save FILE there, "
            "opsctl images load FILE here",
        )


def _of_group(source: Source, group: str, wanted: dict[str, str]) -> Recipe:
    text = "\n".join(wanted[name].strip() for name in sorted(wanted)) + "\n"
    build = source.project.get("tool", {}).get("uv", {}).get("extra-build-variables", {})
    return Recipe(
        slot=f"dependencies-{group}",
        key=_key(text, repr(build), base().python, repr(_DROPPED)),
        make=partial(_install, source, text, ("*",)),
    )


def _of_files(source: Source, distribution: str, patterns: tuple[str, ...]) -> Recipe:
    """Return the layer of single files of a distribution, its licence beside them."""
    locked = source.locked[normal(distribution)]
    hashes = [wheel["hash"] for wheel in locked["wheels"]]
    text = f"{distribution}=={locked['version']} {' '.join(f'--hash={h}' for h in hashes)}\n"
    kept = (*patterns, "*.dist-info/licenses/*", "*.dist-info/LICENSE*", "*.dist-info/METADATA")
    return Recipe(
        slot=f"files-{normal(distribution)}",
        key=_key(text, repr(kept), base().python, repr(_DROPPED)),
        make=partial(_install, source, text, kept),
    )


def _install(
    source: Source, text: str, kept: tuple[str, ...], tree: Path, scratch: Path, say: Say
) -> tuple[Component, ...]:
    wanted = base()
    refuse_other_machine(wanted)
    listed = scratch / "requirements.txt"
    listed.write_text(text, encoding="utf-8")
    folder = scratch / "installed"
    argv = [uv(source), "pip", "install", "--no-deps", "--require-hashes", "--no-progress"]
    argv += ["--python-version", wanted.python, "--target", str(folder), "-r", str(listed)]
    say(f"installing {text.count('==')} packages of the lock file")
    try:
        # In the project's folder, whose pyproject.toml says how QuickFIX is compiled.
        commands.run(argv, cwd=source.locks, line=say, env={"UV_LINK_MODE": "hardlink"})
    except commands.CommandFailed as error:
        raise OpsctlError(
            "the packages of the lock file cannot be installed",
            hint="see what keeps them away: uv sync --locked --all-groups",
            details=error.details,
        ) from error
    components = tuple(_components(folder))
    layers.prune(folder, _DROPPED)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name != ".lock" and layers.matches(name, kept):
            layers.take(path, tree / LIBRARY / name)
    say("compiling")
    layers.compile_all(tree, wanted)
    shutil.rmtree(folder)
    return components


def _components(folder: Path) -> list[Component]:
    found = []
    for package in metadata.distributions(path=[str(folder)]):
        meta = package.metadata
        said = meta.get_all("License-Expression", meta.get_all("License", [""]))
        stated = said[0] if said else ""
        trove = [c for c in meta.get_all("Classifier", []) if c.startswith("License ::")]
        words = (
            [stated] if stated and len(stated) < 80 else [c.rpartition(" :: ")[2] for c in trove]
        )
        name = normal(meta["Name"])
        found.append(
            Component(
                name=name,
                version=package.version,
                purl=f"pkg:pypi/{name}@{package.version}",
                licenses=tuple(words),
            )
        )
    return sorted(found, key=lambda c: c.name)


def _key(*parts: str) -> str:
    joined = "\0".join((str(_FORMAT), *parts))
    return hashlib.sha256(joined.encode()).hexdigest()
