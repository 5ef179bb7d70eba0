"""A firm with an environment in a cloud: its project, its state, and the AWS that it deploys to."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
{settings}  trading:aws:
    account: "{account}"
    owner: platform
    region: {region}
    images: {{{region}: {image}}}
    log_days: {log_days}
{aws}"""


@dataclass
class Firm:
    """A project folder, its state, and the cloud that it deploys to."""

    home: Path
    server: AwsServer
    variables: dict[str, str]

    def write(
        self, *, log_days: int = 365, account: str = "", settings: str = "", aws: str = ""
    ) -> None:
        """Write the environment's file; `settings` and `aws` are further lines of it."""
        images = self.server.client("ec2").describe_images()["Images"]
        (self.home / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        (self.home / "Pulumi.cloud.yaml").write_text(
            FILE.format(
                account=account or self.server.account,
                region=REGION,
                image=images[0]["ImageId"],
                log_days=log_days,
                settings="".join(f"  {line}\n" for line in settings.splitlines()),
                aws="".join(f"    {line}\n" for line in aws.splitlines()),
            )
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        return {**os.environ, **self.variables}

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command; fail where it exits otherwise."""
        done = subprocess.run(
            [OPSCTL, *words],
            cwd=self.home,
            env=self.environment,
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


@contextlib.contextmanager
def firm() -> Iterator[Firm]:
    """Yield a firm that has deployed nothing, its environment's file written."""
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
