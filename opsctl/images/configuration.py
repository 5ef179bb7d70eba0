"""An image's configuration: who runs what in it, its health, its labels; pure.

The configuration names its layers by their digests, so its own digest names the whole image:
what an engine calls the image's id. Equal inputs give an equal id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC

from opsctl.images.contents import APP, PROBE
from opsctl.images.definition import USER, AppImage, ServerImage
from opsctl.images.dependencies import LIBRARY
from opsctl.images.layers import Layer
from opsctl.images.source import Commit
from opsctl.model.value import Value

PYTHON = ("/usr/bin/python3.11",)
TITLE, VERSION, REVISION, CREATED, SOURCE, LICENSES = (
    f"org.opencontainers.image.{name}"
    for name in ("title", "version", "revision", "created", "source", "licenses")
)
BASE_NAME, BASE_DIGEST = (f"org.opencontainers.image.base.{name}" for name in ("name", "digest"))
IMAGE = "dev.opsctl.image"
"""The label by which an engine's images are known to be ours; its value is the image's name."""

_SECOND = 1_000_000_000
INTERVAL_S, TIMEOUT_S, START_S, RETRIES = 30, 5, 60, 3
"""Docker's own defaults but for the timeout: to start the probe costs a twentieth of a second
of processor. What must be known at once is watched by its metrics and by the target's probes."""


class Parent(Value):
    """What the layers of an image stand on: nothing, or an official image named by digest."""

    reference: str = ""
    diff_ids: tuple[str, ...] = ()
    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    python: tuple[str, ...] = PYTHON


def configuration(
    image: AppImage | ServerImage,
    *,
    made: Sequence[Layer],
    parent: Parent,
    commit: Commit,
    version: str,
    source: str,
    programs: str = "",
) -> bytes:
    """Return the configuration of an image as the bytes that its id is the digest of.

    `programs` is the search path of a server's program, `version` the program's or the app's.
    """
    created = commit.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    inside = {
        "User": USER,
        "Env": [f"{name}={value}" for name, value in _environment(image, parent, programs)],
        "Cmd": list(command(image, parent)),
        "WorkingDir": "/tmp",  # noqa: S108 - the only folder that is there to be written to
        "Healthcheck": {
            "Test": ["CMD", *healthcheck(image, parent)],
            "Interval": INTERVAL_S * _SECOND,
            "Timeout": TIMEOUT_S * _SECOND,
            "StartPeriod": START_S * _SECOND,
            "Retries": RETRIES,
        },
        "Labels": labels(image, parent, commit, version, created, source),
        "StopSignal": "SIGTERM",
    }
    written = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": inside,
        "rootfs": {"type": "layers", "diff_ids": [*parent.diff_ids, *(x.diff_id for x in made)]},
        "history": [
            *({"created_by": parent.reference} for _ in parent.diff_ids),
            *(
                {"created": created, "created_by": f"opsctl images build: {layer.slot}"}
                for layer in made
            ),
        ],
    }
    return json.dumps(written, sort_keys=True, separators=(",", ":")).encode()


def digest(config: bytes) -> str:
    """Return the id of an image: the digest of its configuration."""
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def command(image: AppImage | ServerImage, parent: Parent) -> tuple[str, ...]:
    """Return what runs in an image where nobody says anything else."""
    if isinstance(image, AppImage):
        return (*parent.python, "-m", f"apps.{image.app}")
    return image.command


def healthcheck(image: AppImage | ServerImage, parent: Parent) -> tuple[str, ...]:
    """Return the words of the probe within an image."""
    kind = "app" if isinstance(image, AppImage) else image.probe
    # Isolated and without site: it starts in a third of the time.
    return (*parent.python, "-I", "-S", f"/{PROBE}", kind)


def labels(
    image: AppImage | ServerImage,
    parent: Parent,
    commit: Commit,
    version: str,
    created: str,
    source: str,
) -> dict[str, str]:
    """Return the labels of an image; one without a value is left out."""
    every = {
        IMAGE: image.name,
        TITLE: image.title,
        VERSION: version,
        REVISION: commit.label,
        CREATED: created,
        SOURCE: source,
        LICENSES: image.licenses,
        BASE_NAME: parent.reference.partition("@")[0],
        BASE_DIGEST: parent.reference.partition("@")[2],
    }
    return {name: value for name, value in every.items() if value}


def _environment(
    image: AppImage | ServerImage, parent: Parent, programs: str
) -> list[tuple[str, str]]:
    found: Mapping[str, str]
    if isinstance(image, AppImage):
        found = {
            "PATH": parent.path,
            "PYTHONPATH": f"/{APP}:/{LIBRARY}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
    else:
        found = {"PATH": f"{programs}:{parent.path}", **image.environment}
    return sorted({**found, "LANG": "C.UTF-8", "TZ": "UTC"}.items())
