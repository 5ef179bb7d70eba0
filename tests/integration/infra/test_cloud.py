"""An environment in the cloud, from its file to nothing left: the commands, on AWS for tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws.plain import PlainPulumi
from tests.support.aws.plugin import provider_folder
from tests.support.aws.server import REGION, AwsServer, aws_server
from tests.support.process import folder

OPSCTL = str(Path(sys.executable).with_name("opsctl"))
FILE = """\
config:
  trading:format: 1
  trading:tier: daily
  trading:dr: cold
  trading:target: docker
  trading:infrastructure: aws
  trading:aws:
    account: "{account}"
    owner: platform
    region: {region}
    images: {{{region}: {image}}}
    log_days: {log_days}
"""
LOGS = "aws:cloudwatch/logGroup:LogGroup"


@dataclass
class Firm:
    """A project folder, its state, and the cloud that it deploys to."""

    home: Path
    server: AwsServer
    variables: dict[str, str]

    def write(self, *, log_days: int = 365, account: str = "") -> None:
        """Write the environment's file."""
        images = self.server.client("ec2").describe_images()["Images"]
        (self.home / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        (self.home / "Pulumi.cloud.yaml").write_text(
            FILE.format(
                account=account or self.server.account,
                region=REGION,
                image=images[0]["ImageId"],
                log_days=log_days,
            )
        )

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command; fail where it exits otherwise."""
        done = subprocess.run(
            [OPSCTL, *words],
            cwd=self.home,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        """Run a command; return its result."""
        return json.loads(self.run(*words, "--output", "json", code=code).stdout)

    def networks(self) -> list[str]:
        """Return the VPCs that are not AWS's own."""
        found = self.server.client("ec2").describe_vpcs()["Vpcs"]
        return [one["VpcId"] for one in found if not one["IsDefault"]]

    def instances(self) -> list[dict[str, Any]]:
        """Return the instances that were not terminated."""
        found = self.server.client("ec2").describe_instances()["Reservations"]
        every = [one for each in found for one in each["Instances"]]
        return [one for one in every if one["State"]["Name"] != "terminated"]


@pytest.fixture
def firm() -> Iterator[Firm]:
    with aws_server() as server, folder() as home:
        plugin = provider_folder(home)
        made = Firm(
            home,
            server,
            {
                **server.environment,
                "OPSCTL_STATE": str(home / "state"),
                "PATH": f"{plugin}{os.pathsep}{os.environ['PATH']}",
            },
        )
        made.write()
        yield made


def test_from_its_file_to_nothing_left(firm: Firm) -> None:
    planned = firm.json("plan", "cloud")
    assert {one["action"] for one in planned["changes"]} == {"create"}
    assert planned["guardrails"]["verdict"] != "refused"
    assert firm.networks() == []

    made = firm.json("deploy", "cloud", "--only", "infrastructure")
    assert len(made["changes"]) == len(planned["changes"])
    (instance,) = firm.instances()
    (host,) = made["outputs"]["hosts"]["value"]
    assert (host["instance"], host["address"]) == (
        instance["InstanceId"],
        instance["PrivateIpAddress"],
    )
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in instance
    assert {t["Key"] for t in instance["Tags"]} >= {"environment", "tier", "dr", "site", "owner"}
    assert firm.json("plan", "cloud")["changes"] == []

    # One setting is another: so is what it is of, and nothing besides.
    firm.write(log_days=90)
    (change, *others) = firm.json("plan", "cloud")["changes"]
    assert {change["kind"], *(one["kind"] for one in others)} == {LOGS}
    (differs,) = change["properties"]
    assert (differs["path"], differs["old"], differs["new"]) == ("retentionInDays", 365, 90)
    firm.run("deploy", "cloud", "--only", "infrastructure")

    # Somebody changes it by hand.
    logs = firm.server.client("logs")
    group = logs.describe_log_groups()["logGroups"][0]["logGroupName"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    (drifted,) = firm.json("stack", "drift", "cloud", code=3)["resources"]
    assert [one["path"] for one in drifted["properties"]] == ["retentionInDays"]
    said = firm.run("deploy", "cloud", "--only", "infrastructure", code=1).stderr
    assert "retentionInDays: declared 90, is 7" in said
    firm.run("deploy", "cloud", "--only", "infrastructure", "--overwrite-drift")
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 90

    # What holds data goes when it is named.
    said = firm.run("destroy", "cloud", "--yes", code=1).stderr
    names = re.findall(r"--replace-data (\S+)", said)
    assert len(firm.instances()) == 1
    firm.run("destroy", "cloud", "--yes", *(w for n in names for w in ("--replace-data", n)))
    assert (firm.instances(), firm.networks()) == ([], [])
    assert firm.server.client("s3").list_buckets()["Buckets"] == []
    assert "nothing to destroy" in firm.run("destroy", "cloud", "--yes").stdout


def test_what_cannot_be_is_refused_before_anything_is_made(firm: Firm) -> None:
    firm.write(account="210987654321")
    said = firm.run("plan", "cloud", code=2).stderr
    assert f"these are credentials of account {firm.server.account}" in said
    firm.write()
    firm.variables["AWS_ACCESS_KEY_ID"] = ""
    said = firm.run("deploy", "cloud", "--only", "infrastructure", code=1).stderr
    assert "log in first" in said
    assert firm.networks() == []
    said = firm.run("deploy", "cloud", code=2).stderr
    assert "opsctl deploy cloud --only infrastructure" in said


def test_who_has_pulumi_previews_the_same_by_plain_pulumi(firm: Firm) -> None:
    program = (Path(__file__).parents[3] / "stacks" / "__main__.py").read_text()
    with folder() as home:
        plain = PlainPulumi(home, firm.server, program)
        file = plain.project / "Pulumi.test.yaml"
        file.write_text(file.read_text() + (firm.home / "Pulumi.cloud.yaml").read_text())
        said = plain.run("preview", "--non-interactive")
    count = len(firm.json("plan", "cloud")["changes"])
    made = {int(number) for number in re.findall(r"\+ (\d+) to create", said)}
    components = len(re.findall(r"trading:aws:", said))
    assert made == {count + components + 1}, said[-2000:]  # and the stack itself
