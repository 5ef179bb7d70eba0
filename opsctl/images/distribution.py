"""The layer of the distribution: Debian packages, unpacked by mmdebstrap and not installed.

Unpacked only, no script of a package runs: neither shell nor package manager is needed in an
image, and nothing depends on the machine that makes it. What an installation would have
made (the bundle of certificates, bytecode) is made here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from packageurl import PackageURL

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.images import layers
from opsctl.images.definition import Base, base
from opsctl.images.layers import Component
from opsctl.images.store import Recipe, Say
from opsctl.toolchain import commands

_FORMAT = 2
BUNDLE, OPENSSL = "etc/ssl/certs/ca-certificates.crt", "usr/lib/ssl/cert.pem"
"""Where the certificates of public authorities are, and where OpenSSL looks for them."""
DATABASE = "var/lib/dpkg/status.d"
"""Where scanners look for the packages of an image that has no package manager."""

# The packages are there between their unpacking and the hook's end; their control fields are
# kept, and the names of their files, so that those of unneeded ones can be told.
_HOOK = """\
#!/bin/sh
set -eu
for deb in "$1"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  dpkg-deb -f "$deb" > "{about}/$name.control"
  dpkg-deb --fsys-tarfile "$deb" | tar -t > "{about}/$name.files"
done
"""


def recipe(*, fresh: bool = False) -> Recipe:
    """Return the layer of the distribution; a fresh one has the newest packages of today.

    Otherwise what was made once is kept, so that nothing changes unless somebody asks.
    """
    wanted = base()
    key = hashlib.sha256(f"{_FORMAT}\0{wanted.digest()}\0{_HOOK}".encode()).hexdigest()
    return Recipe("base", key, partial(_make, wanted), again=fresh)


def beside(packages: tuple[str, ...], *, fresh: bool = False) -> Recipe:
    """Return the layer of a few packages that one image needs beside the base; as `recipe`."""
    wanted = base()
    key = hashlib.sha256(f"{_FORMAT}\0{wanted.digest()}\0{_HOOK}\0{packages}".encode())
    made = partial(_make_extra, wanted, packages)
    return Recipe(f"packages-{'-'.join(packages)}", key.hexdigest(), made, again=fresh)


def _make(wanted: Base, tree: Path, scratch: Path, say: Say) -> tuple[Component, ...]:
    whole, packages = _unpacked(wanted, wanted.packages, scratch, say)
    kept = {name: found for name, found in packages.items() if name not in wanted.without}
    dropped = {file for name in packages.keys() - kept for file in packages[name].files}
    say("taking what runs")
    _take(whole, tree, lambda name: name not in dropped, wanted)
    _complete(tree)
    say("compiling")
    layers.compile_all(tree, wanted)
    return _recorded(kept, tree, wanted)


def _make_extra(
    wanted: Base, names: tuple[str, ...], tree: Path, scratch: Path, say: Say
) -> tuple[Component, ...]:
    whole, packages = _unpacked(wanted, names, scratch, say)
    kept = {name: packages[name] for name in names}
    files = {file for found in kept.values() for file in found.files}
    _take(whole, tree, lambda name: name in files, wanted)
    return _recorded(kept, tree, wanted)


def _recorded(kept: dict[str, _Package], tree: Path, wanted: Base) -> tuple[Component, ...]:
    """Write down which packages are in a tree, where scanners look; return them."""
    for name, package in kept.items():
        place = tree / DATABASE / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(package.control, encoding="utf-8")
    return tuple(package.component(wanted.suite) for package in kept.values())


def _unpacked(
    wanted: Base, names: tuple[str, ...], scratch: Path, say: Say
) -> tuple[Path, dict[str, _Package]]:
    """Unpack packages with all they depend on; return the tar, and each package by name."""
    if shutil.which("mmdebstrap") is None:
        raise ToolMissing(
            "mmdebstrap is not here: the base of the images is unpacked by it",
            hint="apt-get install mmdebstrap, or name an official image: trading:images.base",
        )
    about = scratch / "packages"
    about.mkdir()
    whole, hook = scratch / "whole.tar", scratch / "hook"
    hook.write_text(_HOOK.format(about=about), encoding="utf-8")
    hook.chmod(0o755)
    # Nothing is run in what is unpacked, so that it takes no root; as root it warns of that mode.
    mode = "root" if os.geteuid() == 0 else "chrootless"
    argv = ["mmdebstrap", "--variant=extract", f"--mode={mode}"]
    argv += [f"--include={','.join(names)}"]
    argv += [f"--extract-hook={hook}", "--format=tar", wanted.suite, str(whole)]
    say(f"unpacking {', '.join(names)} of Debian {wanted.suite} and what they need")
    try:
        commands.run(argv, line=say, env={"SOURCE_DATE_EPOCH": str(layers.EPOCH_S)})
    except commands.CommandFailed as error:
        raise OpsctlError(
            f"the packages of the base cannot be had: {error.message}",
            hint="see what keeps them away: apt-get update; or name an official image: "
            "trading:images.base",
            details=error.details,
        ) from error
    packages = {
        path.stem: _Package(path.read_text("utf-8"), path.with_suffix(".files").read_text("utf-8"))
        for path in sorted(about.glob("*.control"))
    }
    return whole, packages


class _Package:
    """A package by its control fields and the names of its files."""

    def __init__(self, control: str, files: str) -> None:
        self.control = control
        self.files = {name.removeprefix("./").rstrip("/") for name in files.splitlines()}
        lines = (line.partition(": ") for line in control.splitlines() if line[:1] != " ")
        self._fields = {name: value for name, _, value in lines}

    def component(self, suite: str) -> Component:
        """Return the package as a part of the bill of materials."""
        name, version = self._fields["Package"], self._fields["Version"]
        source, _, of = self._fields.get("Source", name).partition(" ")
        upstream = f"{source}@{of.strip('()')}" if of else source
        purl = PackageURL(
            type="deb",
            namespace="debian",
            name=name,
            version=version,
            qualifiers={
                "arch": self._fields["Architecture"],
                "distro": suite,
                "upstream": upstream,
            },
        )
        return Component(name=name, version=version, purl=purl.to_string())


def _take(whole: Path, tree: Path, wants: Callable[[str], bool], wanted: Base) -> None:
    """Put the files of a tar into a tree: those that are wanted, no device."""
    kept_docs = ("usr/share/doc/*/copyright",)
    with tarfile.open(whole) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if not member.isdir() and not wants(name):
                continue
            unneeded = layers.matches(name, (*wanted.drop, "usr/share/doc/*"))
            if unneeded and not layers.matches(name, kept_docs):
                continue
            place = tree / name
            if member.issym():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(member.linkname)
            elif member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.isfile() or member.islnk():
                content = tar.extractfile(member)
                if content is not None:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with content, place.open("wb") as out:
                        shutil.copyfileobj(content, out)
                    place.chmod(0o755 if member.mode & 0o100 else 0o644)
    layers.prune(tree, ())


def _complete(tree: Path) -> None:
    """Make what installing would have made: the bundle of certificates, the folder for files."""
    certificates = sorted((tree / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = tree / BUNDLE
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text(
        "".join(path.read_text("utf-8").rstrip() + "\n" for path in certificates), encoding="utf-8"
    )
    (tree / OPENSSL).parent.mkdir(parents=True, exist_ok=True)
    (tree / OPENSSL).symlink_to(f"/{BUNDLE}")
