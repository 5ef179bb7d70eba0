"""Taking programs from an archive, all of them or none.

Nothing of an archive reaches its place in the toolchain folder before all of it was
verified; only regular files at places that a manifest lists are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import ValidationError

from opsctl.errors import OpsctlError
from opsctl.toolchain import store
from opsctl.toolchain.archive import INDEX, ArchiveRefused, Content, Index, this_platform
from opsctl.toolchain.registry import program
from opsctl.toolchain.results import Packed, ToolchainArchive

LARGEST_MANIFEST_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20


def load(file: Path, sha256: str | None = None) -> ToolchainArchive:
    """Import the programs of an archive, all of them or none.

    `sha256` is what the export printed, where it came by another way. Raises
    `ArchiveRefused` for an archive that is damaged, was tampered with, belongs to another
    platform or holds versions that do not serve.
    """
    try:
        with file.open("rb") as source, contextlib.ExitStack() as locks:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            if sha256 is not None and digest != sha256.lower():
                raise ArchiveRefused(
                    f"{file} is not the archive that was exported",
                    hint="copy it again",
                    details=(f"want {sha256}", f"got  {digest}"),
                )
            source.seek(0)
            manifests = _import(source, locks)
    except FileNotFoundError as error:
        raise OpsctlError(
            f"there is no file {file}", hint="opsctl toolchain export FILE makes one"
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveRefused(
            f"{file} cannot be read: {error}", hint="copy the archive again, or export it anew"
        ) from error
    return ToolchainArchive(
        file=file.absolute(),
        sha256=digest,
        bytes=file.stat().st_size,
        programs=tuple(Packed(name=m.name, version=m.version) for m in manifests),
    )


def _import(source: IO[bytes], locks: contextlib.ExitStack) -> list[store.Manifest]:
    with tarfile.open(fileobj=source, mode="r:*") as tar:
        index = _index(tar)
        staged: dict[str, tuple[Path, store.Manifest | None, Content]] = {}
        for content in sorted(index.programs, key=lambda c: c.name):
            locks.enter_context(store.lock(content.name))
            tree = locks.enter_context(store.staging(content.name)) / "tree"
            tree.mkdir()
            staged[f"{content.name}/{content.version}"] = (tree, None, content)
        while (member := tar.next()) is not None:
            key, place = _place(member, staged)
            tree, manifest, content = staged[key]
            if place == store.MANIFEST:
                staged[key] = (tree, _manifest(tar, member, content), content)
            else:
                _file(tar, member, place, tree, manifest)
    manifests: list[tuple[Path, store.Manifest]] = []
    for key, (tree, manifest, _) in staged.items():
        if manifest is None:
            raise ArchiveRefused(f"the archive has no {key}/{store.MANIFEST}")
        lacking = [place for place in manifest.files if not (tree / place).is_file()]
        if lacking:
            raise ArchiveRefused(f"the archive lacks files of {key}", details=lacking[:10])
        manifests.append((tree, manifest))
    for tree, manifest in manifests:
        store.opened(tree)
        store.commit(tree, manifest)
    return [manifest for _, manifest in manifests]


def _index(tar: tarfile.TarFile) -> Index:
    first = tar.next()
    if first is None or first.name != INDEX:
        raise ArchiveRefused(
            "this is no archive of a toolchain", hint="opsctl toolchain export FILE makes one"
        )
    try:
        index = Index.model_validate_json(_content(tar, first))
    except ValidationError as error:
        raise ArchiveRefused("the archive's index cannot be read", details=[str(error)]) from error
    if index.platform != this_platform():
        raise ArchiveRefused(
            f"the archive was made for {index.platform}, this machine is {this_platform()}",
            hint="export on a machine like this one",
        )
    for content in index.programs:
        program(content.name)
    return index


def _place(
    member: tarfile.TarInfo, staged: dict[str, tuple[Path, store.Manifest | None, Content]]
) -> tuple[str, str]:
    """Return to which program a member belongs, and its place there; refuse all else."""
    path = PurePosixPath(member.name)
    inside = not path.is_absolute() and ".." not in path.parts
    key = "/".join(path.parts[:2])
    if not (inside and member.isreg() and key in staged and len(path.parts) > 2):
        raise ArchiveRefused(
            f"the archive holds {member.name!r}, which no toolchain has",
            hint="do not use this archive: it was not made by `opsctl toolchain export`",
        )
    return key, str(PurePosixPath(*path.parts[2:]))


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo, content: Content) -> store.Manifest:
    raw = _content(tar, member)
    if hashlib.sha256(raw).hexdigest() != content.manifest_sha256:
        raise ArchiveRefused(f"{member.name} was changed after the export")
    try:
        manifest = store.Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise ArchiveRefused(f"{member.name} cannot be read", details=[str(error)]) from error
    if (manifest.name, manifest.version) != (content.name, content.version):
        raise ArchiveRefused(f"{member.name} is the manifest of another program")
    outside = [p for p in (*manifest.files, *manifest.binaries.values()) if p.startswith("/")]
    if outside or not set(manifest.binaries.values()) <= set(manifest.files):
        raise ArchiveRefused(f"{member.name} names programs that are not in the archive")
    if not program(manifest.name).accepts(manifest.version, manifest.method):
        raise ArchiveRefused(
            f"the archive holds {manifest.name} {manifest.version}, "
            f"needed is {program(manifest.name).versions}",
            hint="export with the same release of opsctl",
        )
    return manifest


def _file(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    place: str,
    tree: Path,
    manifest: store.Manifest | None,
) -> None:
    """Write a member to its place in the staged tree while its hash is taken."""
    if manifest is None or place not in manifest.files or (tree / place).exists():
        raise ArchiveRefused(f"the archive holds {member.name!r}, which no manifest lists")
    source = tar.extractfile(member)
    assert source is not None  # noqa: S101 - it is a regular file
    target = tree / place
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as out:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != manifest.files[place]:
        raise ArchiveRefused(f"{member.name} was changed after the export")
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(member) if member.isreg() else None
    if source is None or member.size > LARGEST_MANIFEST_BYTES:
        raise ArchiveRefused(f"{member.name} is no manifest")
    return source.read()
