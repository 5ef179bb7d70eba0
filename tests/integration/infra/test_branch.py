"""An environment of CI in a cloud: it comes down however it ends, and who died is reaped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl.infra import session
from opsctl.infra.workspace import FOLDER
from stacks.aws.policies import CI_KEY
from tests.integration.infra import branch
from tests.support import preloaded
from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.aws.server import REGION
from tests.support.process import wait_for

REPOSITORY = Path(__file__).parents[3]
UP = ("env", "up", "--from", "cloud", "--ttl", "2h", "--no-verify")
INSTANCE, VPC = "aws:ec2/instance:Instance", "aws:ec2/vpc:Vpc"


class Branches:
    """A firm whose CI makes environments; what runs on hosts is left out (`branch`)."""

    def __init__(self, firm: Firm) -> None:
        self.firm = firm
        self.argv = [sys.executable, "-m", "tests.integration.infra.branch"]
        self.forked = firm.home / "branch"
        """The same for what runs to its end."""
        preloaded.program(self.forked, branch.__name__, branch.main.__name__, orphaned_s=0)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.firm.environment, "PYTHONPATH": str(REPOSITORY)}

    def start(
        self, *words: str, log: str = "log", signalled: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command, its remarks in a file; one that is `signalled` as its own program."""
        with (self.firm.home / log).open("w") as said:
            return subprocess.Popen(
                [*(self.argv if signalled else [str(self.forked)]), *words],
                cwd=self.firm.home,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def run(self, *words: str, code: int = 0) -> Any:
        """Run a command to its end; return its result."""
        done = subprocess.run(
            [str(self.forked), *words, "--output", "json"],
            cwd=self.firm.home,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return json.loads(done.stdout) if done.stdout else done.stderr

    def left(self) -> dict[str, Any]:
        """Return what is in the account, beside what was there before."""
        made = self.firm.server.client
        ec2 = made("ec2")
        found = {
            "instances": self.firm.instances(),
            "networks": self.firm.networks(),
            "volumes": ec2.describe_volumes()["Volumes"],
            "addresses": ec2.describe_addresses()["Addresses"],
            "templates": ec2.describe_launch_templates()["LaunchTemplates"],
            "buckets": made("s3").list_buckets()["Buckets"],
            "secrets": made("secretsmanager").list_secrets()["SecretList"],
            "topics": made("sns").list_topics()["Topics"],
            "alarms": made("cloudwatch").describe_alarms()["MetricAlarms"],
            "logs": made("logs").describe_log_groups()["logGroups"],
        }
        return {kind: there for kind, there in found.items() if there}

    def stands(self, name: str) -> bool:
        """Return whether this machine has anything of an environment."""
        return (self.firm.home / "state/environments" / name).exists()


@pytest.fixture
def branches() -> Iterator[Branches]:
    """Return a firm with an environment `cloud`, the roles of its CI and the key of those."""
    with firms() as firm:
        firm.prepare_ci()
        kms = firm.server.client("kms")
        key = kms.create_key(Description="of CI")["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{CI_KEY}", TargetKeyId=key["KeyId"])
        firm.write_cloud()
        yield Branches(firm)


def steps(found: Any) -> dict[str, str]:
    """Return the verdict of each step."""
    return {step["name"]: step["verdict"] for step in found["steps"]}


def test_up_and_down_leaves_nothing(branches: Branches) -> None:
    done = branches.run(*UP, "--name", "pr-1")
    assert steps(done) == {"infrastructure": "passed", "deploy": "passed", "take away": "passed"}
    assert (done["verdict"], done["left"]) == ("passed", False)
    assert branches.left() == {}
    assert not branches.stands("pr-1")
    assert not (branches.firm.home / "Pulumi.pr-1.yaml").exists()


def test_what_fails_on_the_way_leaves_nothing(branches: Branches) -> None:
    branches.firm.faults.fail("create", INSTANCE, "quota", times=0)
    done = branches.run(*UP, "--name", "pr-1", "--keep", code=1)
    assert "maximum number of resources" in done["error"] + " ".join(done["details"])
    assert steps(done) == {"deploy": "failed", "take away": "passed"}
    assert branches.left() == {}

    # All of it is made, and then no host answers.
    branches.firm.faults.clear()
    branches.firm.variables[branch.SILENT] = "yes"
    done = branches.run(*UP, "--name", "pr-1", code=1)
    assert (done["error"], done["left"]) == ("trading-a does not answer", False)
    assert branches.left() == {}
    assert not branches.stands("pr-1")


def test_a_cancelled_job_leaves_nothing(branches: Branches) -> None:
    held = branches.firm.faults.hold("create", INSTANCE, after=True)
    job = branches.start(*UP, "--name", "pr-1", "--output", "json", signalled=True)
    held.reached(timeout_s=150)
    job.send_signal(signal.SIGTERM)
    said = branches.firm.home / "log"
    wait_for(lambda: "ending the operations" in said.read_text(), "the announcement")
    held.release()
    out, _ = job.communicate(timeout=300)
    assert job.returncode == 143, said.read_text()
    assert json.loads(out)["verdict"] == "cancelled"
    assert branches.left() == {}
    assert not branches.stands("pr-1")


def killed(branches: Branches, name: str, *words: str) -> None:
    """Have a job make an environment, and kill all of it when AWS has made its instance."""
    branches.firm.provider(killed=True)
    held = branches.firm.faults.hold("create", INSTANCE, after=True)
    job = branches.start(*UP, "--name", name, *words, signalled=True)
    held.reached(timeout_s=150)
    note = session.left(branches.firm.home / f"state/environments/{name}/{FOLDER}/engine.json")
    assert note is not None
    there = session.members(note.run)
    job.kill()
    job.communicate()
    for pid in there:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in there), "its end")
    held.release()
    branches.firm.faults.clear()
    branches.firm.provider()


def test_what_a_killed_job_left_is_named_by_its_tags_and_reaped_where_its_state_is(
    branches: Branches,
) -> None:
    firm = branches.firm
    firm.write_cloud(aws={"ci": {"repository": "acme/books"}})
    killed(branches, "pr-1", "--owner", "run 7")
    there = branches.left()
    assert len(there["instances"]) == 1
    (found,) = branches.run("env", "reap")["environments"]
    assert (found["environment"], found["verdict"]) == ("pr-1", "kept")
    assert branches.left().keys() == there.keys()

    # On another machine, which has nothing but the account to ask.
    firm.variables["OPSCTL_STATE"] = str(firm.home / "another")
    said = branches.run(*UP, "--name", "pr-1", code=2)
    assert "the name pr-1 is taken: an environment of run 7 until" in said
    (found,) = branches.run("env", "reap")["environments"]
    assert (found["verdict"], found["owner"]) == ("kept", "run 7")
    firm.variables[branch.LATER] = "7300"
    (found,) = branches.run("env", "reap", code=1)["environments"]
    assert found["verdict"] == "left"
    (instance,) = firm.instances()
    (network,) = firm.networks()
    named = "\n".join(found["resources"])
    assert instance["InstanceId"] in named
    assert network in named
    assert "Key=environment,Values=pr-1" in found["detail"]
    assert not (firm.home / "another/environments/pr-1").exists()
    assert branches.left().keys() == there.keys()

    # Where its state is, it is taken away; and what AWS remembers of it is not taken for it.
    firm.variables["OPSCTL_STATE"] = str(firm.home / "state")
    (found,) = branches.run("env", "reap", "--dry-run")["environments"]
    assert found["verdict"] == "would remove"
    assert branches.left().keys() == there.keys()
    (found,) = branches.run("env", "reap")["environments"]
    assert found["verdict"] == "removed"
    assert branches.left() == {}
    assert not branches.stands("pr-1")
    assert branches.run("env", "reap")["environments"] == []


def test_kept_two_at_once_do_not_collide_and_names_are_taken_until_taken_down(
    branches: Branches,
) -> None:
    firm = branches.firm
    firm.write_cloud(aws={"ci": {"repository": "acme/books"}})  # which it does not take over
    firm.put("plain", {"format": 1, "tier": "daily", "dr": "cold"})
    image = firm.image("eu-central-1")
    said = {
        "account": firm.server.account,
        "owner": "platform",
        "region": "eu-central-1",
        "images.eu-central-1": image,
    }
    words = [w for key, value in said.items() for w in ("--set", f"trading:aws.{key}={value}")]
    plain = ("env", "up", "--from", "plain", "--infrastructure", "aws", *words, "--no-verify")
    mine = (*UP, "--name", "pr-1", "--owner", "run 7", "--keep", "--output", "json")
    jobs = {
        "one": branches.start(*mine, log="one"),
        "two": branches.start(*plain, "--name", "pr-2", "--keep", log="two"),
    }
    found = {}
    for log, job in jobs.items():
        found[log], _ = job.communicate(timeout=300)
        assert job.returncode == 0, (firm.home / log).read_text()
    done = json.loads(found["one"])
    assert (done["verdict"], done["left"]) == ("passed", True)
    tags = [{t["Key"]: t["Value"] for t in one["Tags"]} for one in firm.instances()]
    assert sorted((one["environment"], one["ephemeral"]) for one in tags) == [
        ("pr-1", "true"),
        ("pr-2", "true"),
    ]
    refused = branches.run(*UP, "--name", "pr-1", code=2)
    assert "the name pr-1 is taken: an environment of run 7 until" in refused
    (firm.home / "Pulumi.pr-1.yaml").write_text((firm.home / "Pulumi.cloud.yaml").read_text())
    refused = firm.run("deploy", "pr-1", "--only", "infrastructure", code=2).stderr
    assert "the name pr-1 is taken: an environment of run 7 until" in refused
    (firm.home / "Pulumi.pr-1.yaml").unlink()
    assert len(firm.instances()) == 2

    (down,) = branches.run("env", "down", "pr-1")["environments"]
    assert down["verdict"] == "removed"
    tags = [{t["Key"]: t["Value"] for t in one["Tags"]} for one in firm.instances()]
    assert [one["environment"] for one in tags] == ["pr-2"]
    assert branches.run("env", "down", "pr-1")["environments"] == []
    branches.run("env", "down", "pr-2")
    assert branches.left() == {}


def test_what_cannot_be_is_refused_with_every_fault_before_anything_is_made(
    branches: Branches,
) -> None:
    firm = branches.firm
    firm.put("plain", {"format": 1, "tier": "daily", "dr": "cold"})
    plain = ("env", "up", "--from", "plain", "--name", "pr-1", "--infrastructure", "aws")
    said = branches.run(*plain, "--target", "local", code=2)
    for fault in ("aws.account", "aws.owner", "aws.region", "trading:target"):
        assert fault in said
    firm.write_cloud(aws={"operators": ["10.20.30.0/24"]})
    assert "--accept-host-keys" in branches.run(*UP, "--name", "pr-1", code=2)
    firm.write_cloud(account="210987654321")
    assert "these are credentials of account" in branches.run(*UP, "--name", "pr-1", code=2)
    firm.write_cloud(live=True)
    assert "real money" in branches.run(*UP, "--name", "pr-1", code=2)
    assert branches.left() == {}
    assert not branches.stands("pr-1")


def test_with_its_state_in_a_bucket_any_machine_reaps_it(branches: Branches) -> None:
    firm = branches.firm
    firm.server.client("s3").create_bucket(
        Bucket="eph-states", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    state = {
        "backend": "s3://eph-states/branches?use_path_style=true",
        "key": f"awskms://alias/{CI_KEY}?region={REGION}",
    }
    firm.write_cloud(aws={"ci": {"repository": "acme/books"}, "state": state})
    before = branches.left()
    killed(branches, "pr-1")
    firm.variables["OPSCTL_STATE"] = str(firm.home / "another")
    (found,) = branches.run("env", "reap")["environments"]
    assert found["verdict"] == "kept"
    (found,) = branches.run("env", "down", "pr-1")["environments"]
    assert found["verdict"] == "held"  # nobody here can say that its engine is dead
    assert len(firm.instances()) == 1
    firm.variables[branch.LATER] = "7300"
    (found,) = branches.run("env", "reap", "--dry-run")["environments"]
    assert found["verdict"] == "would remove"
    (found,) = branches.run("env", "reap")["environments"]
    assert found["verdict"] == "removed"
    assert branches.left() == before
    assert not (firm.home / "another/environments/pr-1").exists()

    # A name that a stack which stays has in the bucket is no ephemeral one's.
    firm.write_cloud(aws={"state": state})
    firm.faults.fail("create", VPC, "quota", times=0)  # the rest of it is enough
    firm.run("deploy", "cloud", "--only", "infrastructure", code=1)
    firm.faults.clear()
    (firm.home / "Pulumi.base.yaml").write_text((firm.home / "Pulumi.cloud.yaml").read_text())
    (firm.home / "Pulumi.cloud.yaml").unlink()
    firm.variables["OPSCTL_STATE"] = str(firm.home / "third")
    said = branches.run("env", "up", "--from", "base", "--name", "cloud", code=2)
    assert "the name cloud is taken, by a stack in s3://eph-states" in said
