"""kill -9 right after AWS made something: the next command takes it over, and makes no second."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

from opsctl.infra import session
from tests.support.aws.faults import Faults
from tests.support.aws.firm import Firm
from tests.support.process import wait_for
from tests.support.project import OPSCTL

VPC, INSTANCE = "aws:ec2/vpc:Vpc", "aws:ec2/instance:Instance"


def kill_when_made(firm: Firm, faults: Faults, token: str) -> None:
    """Deploy, and kill opsctl, engine and provider when AWS has made something of a type.

    What else the engine was making at that moment is cut off too, wherever it was.
    """
    log = firm.home / "deploy.log"
    firm.provider(killed=True)
    faults.clear()
    held = faults.hold("create", token, after=True)
    with log.open("wb") as said:
        command = subprocess.Popen(
            [OPSCTL, "deploy", "cloud", "--only", "infrastructure"],
            cwd=firm.home,
            env=firm.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    try:
        held.reached(timeout_s=150)
    except TimeoutError as error:
        raise AssertionError(log.read_text()) from error
    note = session.left(firm.home / "state/environments/cloud/infrastructure/engine.json")
    assert note is not None
    there = session.members(note.run)
    command.kill()
    command.wait()
    for pid in there:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in there), "its end")
    held.release()
    faults.clear()
    firm.provider()


def test_what_a_killed_deploy_made_is_taken_over(firm: Firm) -> None:
    faults = firm.faults
    made = firm.server.client
    for token in (VPC, INSTANCE):
        kill_when_made(firm, faults, token)
    assert len(firm.instances()) == 1
    said = firm.run("deploy", "cloud", "--only", "infrastructure").stderr
    (instance,) = firm.instances()
    assert f"it exists ({instance['InstanceId']}) and was taken over" in said

    assert (len(firm.networks()), len(made("s3").list_buckets()["Buckets"])) == (1, 4)
    planned = firm.json("plan", "cloud")
    assert planned["changes"] == []
    # Of everything that bears our tags there is one, and the state has it.
    tagged = made("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["Name"]}])["Tags"]
    there = [(one["ResourceType"], one["Value"]) for one in tagged]
    assert [one for one, count in Counter(there).items() if count > 1] == []
    state = firm.home / "state.json"
    firm.run("stack", "export", "cloud", str(state))
    text = state.read_text()
    assert [
        one for one in tagged if "root" not in one["Value"] and one["ResourceId"] not in text
    ] == []
