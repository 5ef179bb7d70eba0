"""SeaweedFS: the S3 store, one process with all of its parts.

`weed server` and not `weed mini`: the latter adds an admin server whose worker takes a
seventh of a core and 60 MB at rest. S3 asks for the access key; every inner port (HTTP and
gRPC of master, volume, filer) asks for a certificate of the environment's authority. Its
metrics port can be given neither, so it stays closed.
"""

from __future__ import annotations

import json

from opsctl.model.environment import Environment
from opsctl.services.base import Address, ConfigFile, Host, ObjectProbe, Service

NAME = "seaweedfs"
CA, CERT, KEY = "tls/ca.crt", "tls/objects.crt", "tls/objects.key"
ACCESS_KEY, SECRET_KEY = "s3-access", "s3"
SIGNING = ("objects-write", "objects-read", "objects-filer-write", "objects-filer-read")

VOLUME_MB, VOLUMES = 256, 40
"""Data lies in files of at most this size; there are as many at most: 10 GB in all."""

GRPC_PARTS = (
    *("volume", "master", "filer", "s3"),
    *("client", "msg_broker", "msg_agent", "mq"),
)
HTTPS_PARTS = ("volume", "master", "filer")


def address(host: Host, site: str) -> Address:
    """Return where the S3 store of a site is reached."""
    return host.address(NAME, site, "s3")


def service(environment: Environment, site: str, host: Host) -> Service:  # noqa: ARG001 - a Maker
    """Return the S3 store of a site."""
    at = address(host, site)
    config = host.folder(NAME, site, "config")
    data = host.folder(NAME, site, "data")
    run = host.folder(NAME, site, "run")
    inner = {
        name: host.address(NAME, site, name).port
        for name in (
            *("s3-grpc", "master", "master-grpc", "volume", "volume-grpc"),
            *("filer", "filer-grpc"),
        )
    }
    ports = {"s3": at.port, **inner}
    options: dict[str, str | int] = {
        "dir": data,
        "ip": at.host,
        "ip.bind": at.host,
        "master.port": ports["master"],
        "master.port.grpc": ports["master-grpc"],
        "master.telemetry": "false",
        # Alone, it elects itself: the default of 10 s is a wait after every crash, and a
        # volume server that comes before there is a leader waits for another 5 s. It comes
        # 0.1 to 1.8 s after the master, so a leader must be there in less than that.
        "master.electionTimeout": "50ms",
        "master.heartbeatInterval": "20ms",
        "master.volumeSizeLimitMB": VOLUME_MB,
        "volume.max": VOLUMES,
        "volume.port": ports["volume"],
        "volume.port.grpc": ports["volume-grpc"],
        "volume.preStopSeconds": 0,
        "filer.port": ports["filer"],
        "filer.port.grpc": ports["filer-grpc"],
        "filer.localSocket": f"{run}/filer.sock",
        "filer": "true",
        "s3": "true",
        "s3.port": ports["s3"],
        "s3.port.grpc": ports["s3-grpc"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": f"{config}/s3.json",
        "s3.localSocket": f"{run}/s3.sock",
        "s3.iam": "false",
        "s3.autoCreateBucket": "false",
    }
    return Service(
        name=NAME,
        site=site,
        kind="server",
        background=True,
        purpose="S3 object store: backups, and the anchor of the evidence under object lock",
        argv=(
            host.program("seaweedfs", "weed"),
            "-logtostderr=true",
            f"-config_dir={config}",
            "server",
            *(f"-{option}={value}" for option, value in options.items()),
        ),
        # It lives on 200 MB. Near a limit Go gives pages back as fast as it takes them, which
        # costs a tenth of a core for as long as it runs: measured with 256 MiB.
        environment={"GOMEMLIMIT": "512MiB"},
        files=(
            ConfigFile(path="s3.json", content=_identities()),
            ConfigFile(path="security.toml", content=_security(host)),
        ),
        ports=ports,
        secrets=(ACCESS_KEY, SECRET_KEY, *SIGNING, CA, CERT, KEY),
        probe=ObjectProbe(at=at, access_key=ACCESS_KEY, secret=SECRET_KEY),
        # Told to stop, it waits a quarter of a minute for connections of its own parts; what
        # it has confirmed is written by then, and it starts from any instant's files.
        stop_within_s=3,
        leaves=tuple(
            f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}-grpc']}.sock"  # noqa: S108 - its own choice
            for part in ("master", "volume", "filer", "s3")
        ),
    )


def _identities() -> str:
    credentials = {
        "accessKey": f"{{{{secret:{ACCESS_KEY}}}}}",
        "secretKey": f"{{{{secret:{SECRET_KEY}}}}}",
    }
    owner = {
        "name": "opsctl",
        "credentials": [credentials],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return json.dumps({"identities": [owner]}, indent=2) + "\n"


def _security(host: Host) -> str:
    ca, pair = host.secret(CA), f'cert = "{host.secret(CERT)}"\nkey = "{host.secret(KEY)}"\n'
    signing = zip(
        ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read"),
        SIGNING,
        strict=True,
    )
    sections = [
        *(f'[{section}]\nkey = "{{{{secret:{name}}}}}"\n' for section, name in signing),
        f'[grpc]\nca = "{ca}"\n',
        *(f"[grpc.{part}]\n{pair}" for part in GRPC_PARTS),
        *(f'[https.{part}]\n{pair}ca = "{ca}"\n' for part in HTTPS_PARTS),
        f'[https.client]\nenabled = true\n{pair}ca = "{ca}"\n',
    ]
    return "\n".join(sections)
