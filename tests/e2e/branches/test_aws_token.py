"""`.ci/aws-token`: a job's own token becomes credentials of AWS, and no key is stored."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from tests.support.aws.server import REGION, aws_server
from tests.support.workflows import REPOSITORY

ASKS_WITH = "what the job may ask with"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmFjbWUvYm9va3MifQ.c2lnbmVk"
ROLE = "opsctl-plan"


@contextmanager
def issuer() -> Iterator[str]:
    """Run what gives the jobs of CI their tokens; yield the address that a job is told."""

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            may = self.headers["authorization"] == f"bearer {ASKS_WITH}"
            given = may and asked == {"api-version": ["2.0"], "audience": ["sts.amazonaws.com"]}
            said = json.dumps({"count": 1, "value": TOKEN} if given else {"message": "no"}).encode()
            self.send_response(200 if given else 403)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        Thread(target=server.serve_forever, name="issuer", daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
        server.shutdown()


def fetched(home: Path, address: str, role: str, may: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a job does."""
    (home / "env").touch()
    return subprocess.run(
        [REPOSITORY / ".ci/aws-token"],
        env={
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(home),
            "GITHUB_ENV": str(home / "env"),
            "GITHUB_RUN_ID": "17500000001",
            "ACTIONS_ID_TOKEN_REQUEST_URL": address,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": may,
            "AWS_ROLE_ARN": role,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_next_steps_of_a_job_have_its_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws_server() as server, issuer() as address:
        role = server.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        done = fetched(tmp_path, address, role["Role"]["Arn"], ASKS_WITH)
        assert done.returncode == 0, done.stderr
        assert done.stdout + done.stderr == ""
        lines = (tmp_path / "env").read_text().splitlines()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        for name, _, value in (line.partition("=") for line in lines):
            monkeypatch.setenv(name, value)
        file = Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
        assert (file.read_text(), file.stat().st_mode & 0o777) == (TOKEN, 0o600)
        session = boto3.Session()
        credentials = session.get_credentials()
        assert credentials is not None
        assert credentials.method == "assume-role-with-web-identity"
        sts = session.client("sts", region_name=REGION)
        assert sts.get_caller_identity()["Arn"].endswith(f"/{ROLE}/run-17500000001")


def test_what_the_issuer_refuses_fails_the_job_and_says_no_secret(tmp_path: Path) -> None:
    with issuer() as address:
        done = fetched(tmp_path, address, "arn:aws:iam::1:role/any", "something else")
    assert done.returncode != 0
    assert "403" in done.stderr
    assert "something else" not in done.stderr
    assert (tmp_path / "env").read_text() == ""
