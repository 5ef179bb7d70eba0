"""The layer of the distribution: Debian packages, unpacked by mmdebstrap and not installed.

Unpacked only, no script of a package runs: neither shell nor package manager is needed in an
image, and nothing depends on the machine that makes it. What an installation would have
made (the bundle of certificates, bytecode) is made here.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
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


def _make(wanted: Base, tree: Path, scratch: Path, say: Say) -> tuple[Component, ...]:
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
    argv = ["mmdebstrap", "--variant=extract", f"--include={','.join(wanted.packages)}"]
    argv += [f"--extract-hook={hook}", "--format=tar"]
    argv += [wanted.suite, str(whole)]
    say(f"unpacking {len(wanted.packages)} packages of Debian {wanted.suite} and what they need")
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
    left_out = {
        file
        for name, package in packages.items()
        if name in wanted.without
        for file in package.files
    }
    say("taking what runs")
    _take(whole, tree, left_out, wanted)
    _complete(tree)
    for name, package in packages.items():
        if name not in wanted.without:
            place = tree / DATABASE / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(package.control, encoding="utf-8")
    say("compiling")
    layers.compile_all(tree, wanted)
    return tuple(
        package.component(wanted.suite)
        for name, package in packages.items()
        if name not in wanted.without
    )


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


def _take(whole: Path, tree: Path, left_out: set[str], wanted: Base) -> None:
    """Put the files of a tar into a tree: none of those left out, no device."""
    kept_docs = ("usr/share/doc/*/copyright",)
    with tarfile.open(whole) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name in left_out and not member.isdir():
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
