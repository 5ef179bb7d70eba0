"""The HEALTHCHECK of every image: does the server in this container answer?

    probe.py app        an app's /readyz, by its own TRADING_HTTP_* settings
    probe.py http       PROBE_URL answers 200
    probe.py valkey     PING at PROBE_ADDRESS (host:port)
    probe.py postgres   pg_isready, by PGHOST and PGPORT

PROBE_PASSWORD_FILE holds a password where one is asked for (with PROBE_USER a basic log-in,
else a bearer token); PROBE_CA, PROBE_CERT and PROBE_KEY are files of mutual TLS. A target
sets them as it sets the server's own addresses. Exit code 0: healthy, 1: not.
Standard library only, and little of it: it runs every few seconds in every container.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 3.0


def secret(name: str) -> str:
    """Return what the file holds that a variable names; empty where none is named."""
    path = os.environ.get(name)
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib doubles the start
        return file.read().strip()


def web(url: str, token: str, user: str = "") -> None:
    """Ask an address; raise OSError where it does not answer 200."""
    at = urlsplit(url)
    connection: http.client.HTTPConnection
    if at.scheme == "https":
        import ssl

        trust = ssl.create_default_context(cafile=os.environ.get("PROBE_CA") or None)
        if cert := os.environ.get("PROBE_CERT"):
            trust.load_cert_chain(cert, os.environ.get("PROBE_KEY"))
        connection = http.client.HTTPSConnection(
            str(at.hostname), at.port, timeout=TIMEOUT_S, context=trust
        )
    else:
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=TIMEOUT_S)
    headers = {}
    if user:
        both = base64.b64encode(f"{user}:{token}".encode()).decode()
        headers["Authorization"] = f"Basic {both}"
    elif token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request("GET", at.path or "/", headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise OSError(f"{answer.status} {answer.reason}: {answer.read(200)!r}")


def ping(address: str, password: str) -> None:
    """Ask a Valkey; raise OSError where it does not answer PONG."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as line:
        words = [["AUTH", password]] if password else []
        for command in [*words, ["PING"]]:
            parts = "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in command)
            line.sendall(f"*{len(command)}\r\n{parts}".encode())
            answer = line.recv(200)
            if answer[:1] != b"+":
                raise OSError(f"{command[0]}: {answer!r}")


def main(kind: str) -> int:
    """Run the probe of a kind."""
    env = os.environ
    try:
        if kind == "app":
            host, port = env.get("TRADING_HTTP_HOST", "127.0.0.1"), env["TRADING_HTTP_PORT"]
            host = "127.0.0.1" if host == "0.0.0.0" else host
            web(f"http://{host}:{port}/readyz", secret("TRADING_HTTP_TOKEN_FILE"))
        elif kind == "http":
            web(env["PROBE_URL"], secret("PROBE_PASSWORD_FILE"), env.get("PROBE_USER", ""))
        elif kind == "valkey":
            ping(env["PROBE_ADDRESS"], secret("PROBE_PASSWORD_FILE"))
        elif kind == "postgres":
            words = ["pg_isready", "--quiet", f"--timeout={TIMEOUT_S:.0f}"]
            os.execvp(words[0], words)  # noqa: S606 - there is no shell
        else:
            print(f"no probe {kind!r}", file=sys.stderr)
            return 1
    except KeyError as missing:
        print(f"{missing.args[0]} is not set: the probe does not know where to ask")
        return 1
    except (OSError, ValueError, http.client.HTTPException) as why:
        print(f"{type(why).__name__}: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
