from __future__ import annotations

import dataclasses
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from opsctl import evidence
from opsctl.errors import OpsctlError
from opsctl.evidence import Head, Store
from opsctl.evidence.line import digest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def bucket(store: Store) -> Store:
    """A bucket of its own; the retention is the product's."""
    return dataclasses.replace(store, bucket=f"evidence-{secrets.token_hex(4)}")


@pytest.fixture
def s3(store: Store) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def recorded(count: int, store: Store | None = None) -> list[Head]:
    heads: list[Head] = []
    for number in range(count):
        with evidence.recorded(command="deploy", environment="daily") as run:
            run.result = {"number": number}
            run.store = store
        assert run.head is not None
        heads.append(run.head)
    return heads


def test_anchored_head_is_found_again_and_agrees(bucket: Store) -> None:
    heads = recorded(3, bucket)
    found = evidence.anchored(bucket)
    assert [(h.index, h.hash, h.log) for h in found] == [(h.index, h.hash, h.log) for h in heads]
    checked = evidence.check(anchor=found, where="store")
    assert checked.verdict == "passed"
    assert (checked.anchor.state, checked.anchor.index) == ("compared", 2)


def test_nothing_and_nobody_removes_a_locked_head(bucket: Store, s3: S3Client) -> None:
    (head,) = recorded(1)
    anchor = evidence.anchor(head, bucket)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(
            Bucket=anchor.bucket,
            Key=anchor.key,
            VersionId=anchor.version,
            BypassGovernanceRetention=True,
        )
    s3.delete_object(Bucket=anchor.bucket, Key=anchor.key)  # leaves a mark of deletion only
    s3.put_object(Bucket=anchor.bucket, Key=anchor.key, Body=b"{}")
    assert evidence.anchored(bucket) == (head,)


def test_log_rewritten_whole_behind_the_anchor_is_found(bucket: Store) -> None:
    recorded(4, bucket)
    log = evidence.log()
    forged = forge(log.lines.read_bytes(), 2, {"outcome": "failed"})
    log.lines.write_bytes(forged)
    log.heads.unlink()  # the local heads would tell
    assert evidence.check().verdict == "passed"  # without the anchor nothing can be seen
    checked = evidence.check(anchor=evidence.anchored(bucket), where="store")
    assert checked.verdict == "failed"
    assert [(f.kind, f.line) for f in checked.findings] == [("changed", 2), ("changed", 3)]


def test_tail_cut_with_its_heads_is_found(bucket: Store) -> None:
    recorded(3, bucket)
    log = evidence.log()
    for path in (log.lines, log.heads):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]))
    assert evidence.check().verdict == "passed"
    checked = evidence.check(anchor=evidence.anchored(bucket), where="store")
    assert [(f.kind, f.line) for f in checked.findings] == [("cut", 2)]


def test_log_replaced_whole_is_noted(bucket: Store, state: Path) -> None:
    recorded(2, bucket)
    for path in evidence.log().folder.iterdir():
        path.unlink()
    recorded(1)
    checked = evidence.check(anchor=evidence.anchored(bucket))
    assert any("2 heads of a log" in note for note in checked.notes)


def test_bucket_without_object_lock_is_refused(bucket: Store, s3: S3Client) -> None:
    s3.create_bucket(Bucket=bucket.bucket)
    (head,) = recorded(1)
    with pytest.raises(OpsctlError, match="object store"):
        evidence.anchor(head, bucket)


def test_store_that_does_not_answer_does_not_fail_the_command(bucket: Store) -> None:
    (head,) = recorded(1, dataclasses.replace(bucket, endpoint="http://127.0.0.1:9"))
    assert head.index == 0
    checked = evidence.check()
    assert checked.verdict == "passed"
    assert checked.anchor.state == "none"


def test_wrong_keys_are_an_error_with_a_hint(bucket: Store) -> None:
    with pytest.raises(OpsctlError) as caught:
        evidence.anchored(dataclasses.replace(bucket, secret_key="wrong"))
    assert "keys" in caught.value.hint
    assert "wrong" not in str(caught.value)


def forge(content: bytes, index: int, change: dict[str, Any]) -> bytes:
    """Change one line and seal the whole chain anew, as somebody would who knows it."""
    lines = [json.loads(line) for line in content.splitlines()]
    lines[index] |= change
    previous = lines[0]["previous"]
    for line in lines:
        line["previous"] = previous
        previous = line["hash"] = digest(line)
    sealed = (json.dumps(line, sort_keys=True, separators=(",", ":")) for line in lines)
    return "".join(f"{line}\n" for line in sealed).encode()
