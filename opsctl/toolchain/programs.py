"""The programs that opsctl drives: where each is, which are missing, obtaining them.

`path` is cheap (it reads a manifest) and never fetches; `obtain` makes a program present.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.state import toolchain_folder
from opsctl.toolchain import debian, gomodule, onpath, store, wheel
from opsctl.toolchain.obtained import Obtained, Say, Unobtainable
from opsctl.toolchain.registry import (
    PROGRAMS,
    Debian,
    DebianInstall,
    GoModule,
    OnPath,
    Program,
    Wheel,
    program,
)
from opsctl.toolchain.results import Installed

__all__ = [
    "Installed",
    "Report",
    "carried",
    "locate",
    "missing",
    "obtain",
    "path",
    "required",
    "wanting",
]

Report = Callable[[str, str], None]
"""Takes the name of a program and one line of its progress; called from several threads."""


def path(package: str, binary: str) -> Path:
    """Return the absolute path of a binary of a program, such as ("postgresql", "initdb").

    Raises `ToolMissing` with the command that cures it, and `UsageError` for a program
    that the registry does not know.
    """
    wanted = program(package)
    found = locate(package)
    if found is None:
        raise ToolMissing(
            f"{package} {wanted.versions} is not here ({wanted.why})",
            hint=f"opsctl toolchain install {package}",
        )
    if binary not in found.binaries:
        raise ToolMissing(
            f"{package} {found.version} in {found.folder} has no {binary}",
            hint=f"opsctl toolchain install {package} --again",
        )
    return found.binaries[binary]


def locate(package: str) -> Installed | None:
    """Return a program as it is here: by the user's setting, as recorded, else on PATH."""
    wanted = program(package)
    chosen = onpath.set_by_user(wanted)
    if chosen is not None:
        return _of_machine(wanted, chosen, "setting")
    recorded = [
        (folder, manifest)
        for folder, manifest in store.versions(package)
        if wanted.accepts(manifest.version, manifest.method) and _complete(folder, manifest, wanted)
    ]
    for folder, manifest in sorted(recorded, key=lambda found: _order(wanted, found[1])):
        if manifest.method != "path":
            return _installed(folder, manifest)
        still = onpath.look(wanted, manifest.source)  # the system may have changed it since
        if still is not None:
            return _of_machine(wanted, still, "path")
    on_path = onpath.look(wanted) if _looks_on_path(wanted) else None
    return _of_machine(wanted, on_path, "path") if on_path else None


def carried(package: str, report: Report) -> Installed:
    """Return a program as we obtained it ourselves, whole in a folder of its own.

    One that belongs to the machine does not serve: its libraries are the machine's. Where
    there is no other, it is obtained by the first method that works, as `obtain` does.
    """
    wanted = program(package)
    say = partial(report, package)
    with store.lock(package, waiting=lambda: say("another opsctl is at it: waiting")):
        own = [
            (folder, manifest)
            for folder, manifest in store.versions(package)
            if manifest.method != "path"
            and wanted.accepts(manifest.version, manifest.method)
            and _complete(folder, manifest, wanted)
        ]
        if own:
            return _installed(*min(own, key=lambda found: _order(wanted, found[1])))
        methods = tuple(m for m in wanted.methods if not isinstance(m, OnPath | DebianInstall))
        return _by_the_first_method(wanted.model_copy(update={"methods": methods}), say)


def missing(packages: Iterable[str]) -> tuple[str, ...]:
    """Return those of the named programs that are not here in a fitting version."""
    return tuple(name for name in packages if locate(name) is None)


def wanting(packages: Iterable[str], *, again: bool = False) -> tuple[str, ...]:
    """Return those of the named programs that `obtain` would have to obtain."""
    wanted = [program(name) for name in dict.fromkeys(packages)]
    return tuple(p.name for p in wanted if again or _serving(p) is None)


def obtain(packages: Iterable[str], report: Report, *, again: bool = False) -> list[Installed]:
    """Make programs present and return them in the order asked for.

    What is here stays; `again` obtains it anew by the best method that works. Several
    programs are obtained at once, and a program that another process is obtaining is
    waited for. Raises `ToolMissing` naming everything that cannot be had, after all the
    others were obtained.
    """
    wanted = [program(name) for name in dict.fromkeys(packages)]
    if not wanted:
        return []
    failed: list[OpsctlError] = []
    found: list[Installed] = []
    with ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="toolchain") as pool:
        tasks = [pool.submit(_obtain, p, partial(report, p.name), again=again) for p in wanted]
    for task in tasks:
        try:
            found.append(task.result())
        except OpsctlError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ToolMissing(
            f"{len(failed)} programs cannot be obtained",
            hint="\n        ".join(e.hint for e in failed if e.hint),
            details=[line for e in failed for line in (e.message, *(f"  {d}" for d in e.details))],
        )
    return found


def required() -> tuple[str, ...]:
    """Return the names of the programs that the `local` target needs, the optional ones not."""
    return tuple(p.name for p in PROGRAMS if not p.optional)


def _obtain(wanted: Program, say: Say, *, again: bool) -> Installed:
    here = None if again else _serving(wanted)
    if here is not None:
        with contextlib.suppress(OSError):  # of another account: it is theirs to tidy
            store.tidy(wanted.name)
        return here
    try:
        with store.lock(wanted.name, waiting=lambda: say("another opsctl is at it: waiting")):
            here = None if again else _serving(wanted)
            if here is not None:
                return here
            return _by_the_first_method(wanted, say)
    except OSError as error:  # a full disk, a folder of another account
        raise OpsctlError(
            f"{wanted.name} cannot be put into {toolchain_folder()}: {error.strerror}",
            hint="OPSCTL_TOOLCHAIN names a folder with space that you can write to",
        ) from error


def _by_the_first_method(wanted: Program, say: Say) -> Installed:
    failures: list[Unobtainable] = []
    for method in wanted.methods:
        try:
            made = _by(wanted, method, say)
        except Unobtainable as error:
            failures.append(error)
            say(error.message)
            continue
        if made is not None:
            say(f"{made.version} is here ({made.method}{': ' + made.note if made.note else ''})")
            return made
    raise ToolMissing(
        f"{wanted.name} {wanted.versions} is not here and cannot be obtained",
        hint="; or ".join(dict.fromkeys(h for h in (*(e.hint for e in failures), wanted.cure) if h))
        or f"install {wanted.name} so that it is on PATH, or name its folder in "
        f"{onpath.setting(wanted)}",
        details=[line for e in failures for line in (e.message, *(f"  {d}" for d in e.details))],
    )


def _by(wanted: Program, method: object, say: Say) -> Installed | None:
    """Obtain a program by one method; None where the machine just does not have it on PATH."""
    match method:
        case OnPath():
            return _of_path(wanted)
        case DebianInstall():
            debian.install(method, say)
            found = _of_path(wanted)
            if found is None:
                raise Unobtainable(
                    f"{wanted.name} {wanted.versions} is not on PATH after its installation"
                )
            return found
        case Wheel() | Debian() | GoModule():
            return _into_store(wanted, method, say)
        case _:
            raise TypeError(f"no such method: {method!r}")


def _into_store(wanted: Program, method: Wheel | Debian | GoModule, say: Say) -> Installed:
    with store.staging(wanted.name) as folder:
        tree, scratch = folder / "tree", folder / "scratch"
        tree.mkdir()
        scratch.mkdir()
        made: Obtained
        match method:
            case Wheel():
                made = wheel.obtain(wanted, method, tree, scratch, say)
            case Debian():
                made = debian.obtain(wanted, method, tree, scratch, say)
            case GoModule():
                made = gomodule.obtain(wanted, method, tree, scratch, say)
        lacking = [name for name in wanted.needed if name not in made.binaries]
        if lacking:
            raise Unobtainable(f"{made.source} holds no {', '.join(lacking)}")
        store.opened(tree)
        manifest = store.manifest_of(
            tree,
            name=wanted.name,
            version=made.version,
            method=method.kind,
            source=made.source,
            binaries=made.binaries,
            note=made.note,
        )
        return _installed(store.commit(tree, manifest), manifest)


def _of_path(wanted: Program) -> Installed | None:
    """Record a program that is on PATH, so that a later change of it is noticed."""
    found = onpath.look(wanted)
    if found is None:
        return None
    with store.staging(wanted.name) as folder:
        tree = folder / "tree"
        tree.mkdir()
        manifest = store.manifest_of(
            tree,
            name=wanted.name,
            version=found.version,
            method="path",
            source=found.folder,
            binaries=found.binaries,
        )
        files = {p: store.sha256(Path(p)) for p in found.binaries.values()}
        manifest = manifest.model_copy(update={"files": files})
        return _installed(store.commit(tree, manifest), manifest)


def _serving(wanted: Program) -> Installed | None:
    """Return the program as it is here, where nothing newer is at hand."""
    here = locate(wanted.name)
    return None if here is None or _outdated(wanted, here) else here


def _outdated(wanted: Program, here: Installed) -> bool:
    """Whether the environment of this interpreter carries a newer wheel than was unpacked."""
    if here.method != "wheel":
        return False
    carried = [wheel.installed_version(m) for m in wanted.methods if isinstance(m, Wheel)]
    return any(
        version is not None and version != here.version and wanted.accepts(version, "wheel")
        for version in carried
    )


def _looks_on_path(wanted: Program) -> bool:
    return any(isinstance(method, OnPath) for method in wanted.methods)


def _order(wanted: Program, manifest: store.Manifest) -> tuple[int, float]:
    """Order what is recorded: by the order of the methods, then the latest obtained first."""
    return wanted.rank(manifest.method), -manifest.obtained_at.timestamp()


def _complete(folder: Path, manifest: store.Manifest, wanted: Program) -> bool:
    return all(
        name in manifest.binaries and (folder / manifest.binaries[name]).is_file()
        for name in wanted.needed
    )


def _installed(folder: Path, manifest: store.Manifest) -> Installed:
    return Installed(
        name=manifest.name,
        version=manifest.version,
        method=manifest.method,
        folder=folder,
        binaries={name: folder / place for name, place in manifest.binaries.items()},
        source=manifest.source,
        note=manifest.note,
    )


def _of_machine(wanted: Program, found: onpath.Found, method: str) -> Installed:
    return Installed(
        name=wanted.name,
        version=found.version,
        method=method,
        folder=Path(found.folder),
        binaries={name: Path(place) for name, place in found.binaries.items()},
        source=found.folder,
    )
