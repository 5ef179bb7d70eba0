"""Layers of what is ours and of what we drive: an app's code, a server's program, the probe."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path, PurePosixPath

from opsctl.errors import OpsctlError
from opsctl.images import layers
from opsctl.images.definition import USER_ID, AppImage, ServerImage, base, folder
from opsctl.images.layers import Component
from opsctl.images.source import Source
from opsctl.images.store import Recipe, Say
from opsctl.toolchain import programs, store

APP, PROBE = "opt/trading/app", "opt/trading/probe.py"
"""Where an app's code and the probe lie in an image."""

_FORMAT = 1

_ACCOUNTS = {
    "etc/passwd": (
        "root:x:0:0:root:/:/usr/sbin/nologin\n"
        f"trading:x:{USER_ID}:{USER_ID}:trading:/tmp:/usr/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\ntrading:x:{USER_ID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def platform() -> Recipe:
    """Return the layer of what is ours in every image: the account, the probe."""
    probe = (folder() / "probe.py").read_bytes()
    return Recipe("platform", _key(probe, repr(_ACCOUNTS).encode()), partial(_platform, probe))


def _platform(probe: bytes, tree: Path, _scratch: Path, _say: Say) -> tuple[Component, ...]:
    _write(tree / PROBE, probe)
    for name, text in _ACCOUNTS.items():
        _write(tree / name, text.encode())
    (tree / "tmp").mkdir()
    return ()


def paths(image: AppImage) -> tuple[str, ...]:
    """Return where the code of an app's image lies: the app, and what all apps share."""
    return ("apps/__init__.py", "apps/core", f"apps/{image.app}")


def made_from(image: AppImage | ServerImage) -> tuple[str, ...]:
    """Return the paths of the source whose last change is the revision of an image."""
    own = f"images/{image.name}.yaml"
    if isinstance(image, AppImage):
        return (*paths(image), own, "uv.lock", "pyproject.toml")
    return (own, "opsctl/toolchain")


def code(image: AppImage, source: Source, say: Say) -> Recipe:
    """Return the thin layer of an app: its own package and what apps share, as git knows them.

    A file that git does not know stays out, whatever it is: `say` names it.
    """
    for name in source.unknown(paths(image)):
        say(f"{name} is left out: git does not know it (git add)")
    files = source.files(paths(image))
    if not files:
        raise OpsctlError(f"{source.root} holds no app {image.app}")
    content = {str(path.relative_to(source.root)): path.read_bytes() for path in files}
    about = _metadata(source)
    parts = [part for name, data in content.items() for part in (name.encode(), data)]
    made = partial(_code, image, source, content, about)
    return Recipe(f"app-{image.name}", _key(*parts, repr(about).encode()), made)


def _code(
    image: AppImage,
    source: Source,
    content: dict[str, bytes],
    about: dict[str, str],
    tree: Path,
    _scratch: Path,
    _say: Say,
) -> tuple[Component, ...]:
    for name, data in content.items():
        _write(tree / APP / name, data)
    for name, text in about.items():
        _write(tree / APP / f"opsctl-{source.version}.dist-info" / name, text.encode())
    layers.compile_all(tree, base())
    purl = f"pkg:generic/opsctl-{image.app}@{source.version}"
    licenses = (image.licenses,)
    return (
        Component(name=f"apps.{image.app}", version=source.version, purl=purl, licenses=licenses),
    )


def _metadata(source: Source) -> dict[str, str]:
    """Return the metadata by which strategies and price sources are found as entry points."""
    project = source.project["project"]
    lines = []
    for group, entries in sorted(project.get("entry-points", {}).items()):
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items()), ""]
    head = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {source.version}\n"
    return {"METADATA": head, "entry_points.txt": "\n".join(lines)}


def program(image: ServerImage, say: Say) -> tuple[Recipe, programs.Installed]:
    """Return the layer of a server's program, obtained where it is not here."""
    found = programs.carried(image.program, lambda _name, text: say(text))
    manifest = store.read(found.folder)
    if manifest is None:
        raise OpsctlError(
            f"{image.program} in {found.folder} has no manifest",
            hint=f"opsctl toolchain install {image.program} --again",
        )
    kept = {
        name: digest
        for name, digest in manifest.files.items()
        if not layers.matches(name, image.drop)
    }
    key = _key(image.program.encode(), repr(sorted(kept.items())).encode())
    return Recipe(f"program-{image.program}", key, partial(_program, found, kept)), found


def search_path(found: programs.Installed) -> str:
    """Return the folders of a program's executables in its image, as PATH writes them."""
    at = f"/opt/{found.name}"
    folders = {
        str(PurePosixPath(at) / path.relative_to(found.folder).parent)
        for path in found.binaries.values()
    }
    return ":".join(sorted(folders))


def _program(
    found: programs.Installed, kept: dict[str, str], tree: Path, _scratch: Path, _say: Say
) -> tuple[Component, ...]:
    for name, digest in kept.items():
        source = found.folder / name
        if store.sha256(source) != digest:
            raise OpsctlError(
                f"{source} is not what was obtained",
                hint=f"opsctl toolchain install {found.name} --again",
            )
        layers.take(source, tree / "opt" / found.name / name)
    return (Component(name=found.name, version=found.version, purl=_purl(found)),)


def _purl(found: programs.Installed) -> str:
    """Return where a program is from, as scanners look it up."""
    name, _, version = found.source.partition(",")[0].partition(" ")
    if found.method == "go":
        return f"pkg:golang/{name}@{version}"
    if found.method == "wheel":
        return f"pkg:pypi/{name}@{version}"
    package = found.source.partition("_")[0]
    return f"pkg:deb/debian/{package}@{found.version}?arch=amd64"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _key(*parts: bytes) -> str:
    digest = hashlib.sha256(str(_FORMAT).encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
