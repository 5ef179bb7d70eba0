"""Packing the obtained programs into an archive, for a machine without internet."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.toolchain import inspection, programs, store
from opsctl.toolchain.archive import INDEX, ArchiveRefused, Content, Index, this_platform
from opsctl.toolchain.registry import PROGRAMS, program
from opsctl.toolchain.results import LeftOut, Packed, ToolchainArchive


def export(file: Path, names: Iterable[str] = ()) -> ToolchainArchive:
    """Write the obtained programs (all where none is named) into a tar, gzipped by its name.

    A program of the machine itself (on PATH) is left out and named: its libraries are the
    system's. Raises `ToolMissing` where there is nothing to pack and `ArchiveRefused`
    where a file is no longer what was obtained.
    """
    asked = tuple(names)
    packed: list[tuple[Path, store.Manifest]] = []
    left_out: list[LeftOut] = []
    for known in [program(name) for name in asked] or PROGRAMS:
        here = programs.locate(known.name)
        manifest = store.read(here.folder) if here else None
        if here is None:
            if asked or not known.optional:
                left_out.append(LeftOut(name=known.name, reason="it is not here"))
        elif manifest is None or manifest.method == "path":
            left_out.append(
                LeftOut(name=known.name, reason=f"it belongs to the system: {here.folder}")
            )
        else:
            _unchanged(here.folder, manifest)
            packed.append((here.folder, manifest))
    if not packed:
        raise ToolMissing("there is nothing to export", hint="opsctl toolchain install")
    partial = file.with_name(f".{file.name}.partial")
    try:
        _write(partial, packed, compress=file.name.endswith((".gz", ".tgz")))
        partial.replace(file)
    except OSError as error:
        raise OpsctlError(
            f"{file} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return ToolchainArchive(
        file=file.absolute(),
        sha256=store.sha256(file),
        bytes=file.stat().st_size,
        programs=tuple(Packed(name=m.name, version=m.version) for _, m in packed),
        left_out=tuple(left_out),
    )


def _unchanged(folder: Path, manifest: store.Manifest) -> None:
    found = inspection.findings(folder, manifest)
    if found:
        raise ArchiveRefused(
            f"{manifest.name} {manifest.version} is not what was obtained",
            hint=f"opsctl toolchain install {manifest.name} --again",
            details=[f"{f.finding}: {folder / f.path}" for f in found],
        )


def _write(file: Path, packed: list[tuple[Path, store.Manifest]], *, compress: bool) -> None:
    index = Index(
        platform=this_platform(),
        made_at=datetime.now(UTC).replace(microsecond=0),
        programs=tuple(
            Content(
                name=manifest.name,
                version=manifest.version,
                manifest_sha256=store.sha256(folder / store.MANIFEST),
            )
            for folder, manifest in packed
        ),
    )
    with (
        tarfile.open(file, "w:gz", compresslevel=1) if compress else tarfile.open(file, "w") as tar
    ):
        content = index.model_dump_json(indent=1).encode()
        member = tarfile.TarInfo(INDEX)
        member.size = len(content)
        member.mode = 0o644
        tar.addfile(member, io.BytesIO(content))
        for folder, manifest in packed:
            for place in (store.MANIFEST, *manifest.files):
                name = f"{manifest.name}/{manifest.version}/{place}"
                tar.add(folder / place, arcname=name, recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member without the account that made it."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
