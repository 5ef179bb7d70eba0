"""What a service is: one process of a site, as a value that any target can run.

The catalogue writes a `Service` against a `Host`, the target's answer to "where is what
here"; the target then starts it without knowing its name. A `Service` never holds a
secret: files hold `{{secret:NAME}}`, which the target fills in while it writes them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from opsctl.model.environment import Environment
from opsctl.model.resources import Resources
from opsctl.model.value import Value


def _none(value: object) -> bool:
    return not value


class Way(Protocol):
    """How this process reaches an address that it cannot connect to by itself."""

    @property
    def here(self) -> Address:
        """Where it is to connect to instead: an address of this machine."""
        ...

    def refused(self, timeout_s: float) -> str:
        """Return why nothing answers at the far end; empty where something does."""
        ...

    def on(self, port: int) -> Way:
        """Return the way to another port of the same host."""
        ...


class Address(Value):
    """Where a port of a service is reached.

    `via` is how opsctl reaches one on another machine. It is no part of what the address is:
    neither kept, nor compared, nor in a digest.
    """

    host: str
    port: int
    via: SkipJsonSchema[Any] = Field(None, exclude=True, repr=False)

    @property
    def here(self) -> Address:
        """Where this process connects to."""
        way: Way | None = self.via
        return way.here if way is not None else self

    def on(self, port: int) -> Address:
        """Return the address of another port of the same host."""
        way: Way | None = self.via
        return Address(host=self.host, port=port, via=way.on(port) if way is not None else None)

    def __eq__(self, other: object) -> bool:
        """Compare what it is, not how it is reached."""
        return isinstance(other, Address) and (self.host, self.port) == (other.host, other.port)

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash((self.host, self.port))

    def __str__(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"


class ConfigFile(Value):
    """A file of a service's configuration folder.

    `content` may hold `{{secret:NAME}}` (the secret itself) and `{{bcrypt:NAME}}` (its
    bcrypt hash, made once and kept); the written file is readable by the service alone.
    """

    path: str
    content: str


class Step(Value):
    """A command that prepares a service once, before its first start.

    `stdin` may hold `{{secret:NAME}}` as a file does. Done is a marker that the target
    writes; a step that was killed half-way runs again after everything under `clears` is
    removed.
    """

    name: str
    argv: tuple[str, ...]
    stdin: str = ""
    clears: str | None = None


class SqlProbe(Value):
    """Writes and reads back a row."""

    kind: Literal["sql"] = "sql"
    at: Address
    user: str
    database: str
    secret: str
    ca: Annotated[str, Field(exclude_if=_none)] = ""
    """The authority (PEM) of a server that has to prove by TLS who it is; empty: it has not."""


class BusProbe(Value):
    """Puts a message through a stream and reads it back."""

    kind: Literal["bus"] = "bus"
    at: Address
    secret: str


class JournalProbe(Value):
    """Makes a linearizable write under a key of its own and reads it back."""

    kind: Literal["journal"] = "journal"
    at: Address
    ca: str
    cert: str
    key: str


class ObjectProbe(Value):
    """Stores, reads and removes an object by the S3 API."""

    kind: Literal["object"] = "object"
    at: Address
    access_key: str
    secret: str


class HttpProbe(Value):
    """Asks `path` and expects 200; `secret` is sent as a bearer token or a basic password."""

    kind: Literal["http"] = "http"
    at: Address
    path: str
    secret: str
    user: str | None = None
    """With a user the secret is a basic password, without one a bearer token."""


Probe = Annotated[
    SqlProbe | BusProbe | JournalProbe | ObjectProbe | HttpProbe, Field(discriminator="kind")
]


class Scrape(Value):
    """Where Prometheus finds a service's metrics, and the secret that opens them.

    Without a user the secret is a bearer token, with one a basic password; with `ca`,
    `cert` and `key` (names of secrets too) it is mutual TLS and the secret is the key.
    """

    at: Address
    path: str = "/metrics"
    secret: str
    user: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class Service(Value):
    """One process of a site: what it runs, where its ports are, when it is ready.

    `key` names it within the environment. `waits` are the names of services of the same
    environment (`name` or `name@site`) that must be ready before it starts. `secrets` are
    all the secrets that its files, probes and settings use.
    """

    name: str
    site: str
    kind: Literal["server", "app"]
    purpose: str
    argv: tuple[str, ...]
    environment: dict[str, str] = {}
    files: tuple[ConfigFile, ...] = ()
    setup: tuple[Step, ...] = ()
    ports: dict[str, int] = {}
    waits: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    probe: Probe
    ready_within_s: int = 30
    scrape: Scrape | None = None
    refuses_root: bool = False
    background: bool = False
    """Off the order path: it leaves the processors to what is on it."""
    stop_signal: Literal["TERM", "INT", "QUIT"] = "TERM"
    stop_within_s: int = 5
    locks: tuple[str, ...] = ()
    """Files that say that it runs; removed before a start, once no process of it is left."""
    leaves: tuple[str, ...] = ()
    """Files that it makes outside its folders and leaves behind; removed with it."""
    books: Annotated[SqlProbe | None, Field(exclude_if=_none)] = None
    """How the books are reached that it writes, where no service of this environment is their
    server."""
    published: Annotated[dict[str, Address], Field(exclude_if=_none)] = {}
    """Ports that other hosts reach: name of the port -> the address of this service's host."""
    reaches: Annotated[tuple[Address, ...], Field(exclude_if=_none)] = ()
    """What it connects to that is nowhere in this environment."""
    certificates: Annotated[int, Field(exclude_if=_none)] = 0
    """The generation of its certificates, filled in by the target: another is another start."""
    image: str = ""
    """The id of the image that it runs in, filled in by a target of containers."""
    resources: Resources | None = None
    """What it may use, filled in by a target of containers."""

    @property
    def key(self) -> str:
        """Return the name of this service within its environment: `name@site`."""
        return f"{self.name}@{self.site}"

    @property
    def goes_out(self) -> bool:
        """Whether it needs a way out: what other hosts reach has one already."""
        return bool(self.reaches) and not self.published


class Host(Protocol):
    """What a target tells the catalogue about the place where services will run."""

    @property
    def identity(self) -> str:
        """The environment's UUID; chosen once, then kept."""
        ...

    def program(self, package: str, binary: str) -> str:
        """Return the path of a program, such as ("postgresql", "initdb")."""
        ...

    def python(self) -> tuple[str, ...]:
        """Return the words that start a Python interpreter which can import `apps`."""
        ...

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        """Return the folder of a service for its configuration, its data or its sockets."""
        ...

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        """Return where a named port of a service is reached; chosen once, then kept.

        By who is in another place than the service where `seen_from` names one.
        """
        ...

    def secret(self, name: str) -> str:
        """Return the path of the file that holds a secret of the environment."""
        ...


class Maker(Protocol):
    """A file of the catalogue: makes the service of one site of an environment."""

    NAME: str

    def service(self, environment: Environment, site: str, host: Host) -> Service:
        """Return the service as it should run on that site."""
        ...
