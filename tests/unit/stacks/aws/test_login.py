"""Who logs in to hosts, and what a host does when it is started first."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from pydantic import ValidationError

from opsctl.infra.aws import ports
from opsctl.model.aws import AwsSettings
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from stacks.aws.login import FIRST, Login, login

KEY = f"ssh-ed25519 {'A' * 68} ops@example.com"


def config(made: Login) -> dict[str, Any]:
    head, _, text = made.first("eu-central-1").partition("\n")
    assert head == "#cloud-config"
    found: dict[str, Any] = json.loads(text)
    return found


def test_who_has_no_network_of_operators_comes_by_session_manager() -> None:
    made = login(AwsSettings(ssh_keys=(KEY,), user="trading"))
    assert (made.by, made.user, made.keys) == ("session-manager", "trading", (KEY,))
    assert login(AwsSettings(operators=("10.20.0.0/16",))).by == "address"


def test_a_host_lets_the_keys_in_and_runs_one_program_once() -> None:
    made = config(login(AwsSettings(ssh_keys=(KEY,), operators=("10.20.0.0/16",))))
    assert made["ssh_authorized_keys"] == [KEY]
    (file,) = made["write_files"]
    assert (file["path"], made["runcmd"]) == (FIRST, [[FIRST]])
    assert "usermod --append --groups docker admin" in file["content"]
    assert "amazon-ssm-agent" not in file["content"]


@pytest.mark.parametrize("networks", [(), ("10.20.0.0/16",)])
def test_that_program_is_one_that_a_shell_reads(networks: tuple[str, ...]) -> None:
    (file,) = config(login(AwsSettings(operators=networks)))["write_files"]
    subprocess.run(["sh", "-n"], input=file["content"], text=True, check=True)
    agent = "amazon-ssm-eu-central-1/latest/debian_amd64/amazon-ssm-agent.deb"
    assert (agent in file["content"]) is (not networks)  # only where nobody comes by the address


@pytest.mark.parametrize("key", ["ssh-ed25519 AAAA", 'command="rm" ssh-ed25519 AAAA', ""])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        AwsSettings(ssh_keys=(key,))


@pytest.mark.parametrize("networks", [(), ("10.20.0.0/16",)])
def test_ssh_is_open_to_operators_alone_and_on_every_host(networks: tuple[str, ...]) -> None:
    settings = AwsSettings(operators=networks)
    environment = Environment(name="x", tier=LatencyTier.DAILY, dr=DrTier.HOT, aws=settings)
    found = [use for use in ports(environment) if use.port == 22]
    assert {use.sources for use in found} <= {("operators",)}
    assert {use.at for use in found} == ({"trading", "witness"} if networks else set())
