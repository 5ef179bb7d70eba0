"""The state of a stack in a bucket of the platform's own S3 server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from opsctl.errors import Locked, OpsctlError
from opsctl.evidence import Store
from opsctl.infra import session
from tests.integration.evidence.conftest import store as store
from tests.integration.infra import driver
from tests.integration.infra.conftest import Stack
from tests.support.process import free_port, wait_for

BUCKET = "states"


@pytest.fixture
def bucket(store: Store, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Return a stack whose state lies in a bucket, below a prefix of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret_key)
    client = boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}),
    )
    if BUCKET not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    stack.variables[driver.BACKEND] = (
        f"s3://{BUCKET}/{stack.folder.parent.name}?endpoint={store.endpoint}"
        "&region=us-east-1&use_path_style=true"
    )
    yield stack
    client.close()


def test_another_machine_goes_on_with_the_state_in_the_bucket(
    bucket: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.engine.up(bucket.program(a="one", secret="s"))
    assert not (bucket.workspace.folder / "state").exists()
    phrase = bucket.workspace.passphrase.read_text()
    (tmp_path / "phrase").write_text(phrase)
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "another"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "phrase"))
    done = bucket.engine.up(bucket.program(a="two", secret="s"))
    assert [each.name for each in done.changes] == ["a"]
    assert bucket.files() == ["a-1.json"]
    assert json.loads((bucket.folder / "a-1.json").read_text())["text"] == "two"
    assert len(bucket.engine.history()) == 2


def test_the_lock_in_the_bucket_binds_another_machine(
    bucket: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.engine.up(bucket.program())
    bucket.hold("a")
    command = bucket.command("up", "a=one")
    command.start()
    bucket.begun("a")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(bucket.workspace.passphrase))
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "another"))
    with pytest.raises(Locked, match=r"the stack of daily is held by .* \(pid \d+\) since"):
        bucket.engine.up(bucket.program(a="two", b="new"))
    bucket.let_go()
    assert command.popen is not None
    assert command.popen.wait(120) == 0, command.log()
    assert bucket.files() == ["a-1.json"]


def test_the_lock_that_a_killed_run_left_in_the_bucket_is_taken_away(bucket: Stack) -> None:
    bucket.hold("a.made")
    command = bucket.command("up", "a=one")
    command.start()
    bucket.begun("a.made")
    note = session.left(bucket.workspace.note)
    assert note is not None
    there = session.members(note.run)
    command.kill()
    for pid in there:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not session.members(note.run), "their end")
    bucket.let_go()
    bucket.engine.up(bucket.program(a="one"))
    assert bucket.files() == ["a-1.json"]


def test_a_bucket_that_is_away_is_said_to_be(
    bucket: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"http://127.0.0.1:{free_port()}"
    away = f"s3://{BUCKET}/x?endpoint={where}&region=us-east-1&use_path_style=true"
    bucket.variables[driver.BACKEND] = away
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(OpsctlError, match="cannot be reached at s3://states/x") as caught:
        bucket.engine.up(bucket.program(a="one"))
    assert "credentials" in caught.value.hint
    assert bucket.files() == []
