"""What ssh is told, and what its words mean to a user."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.images.ssh import KNOWN_AS, SOCKET, KeysRefused, command, refused, ways
from opsctl.model.hosts import Way

ADDRESS = "ssh://ops@10.0.2.10:2222"


def test_nothing_is_asked_and_only_known_hosts_are_trusted() -> None:
    words = command(ADDRESS, Path("/tmp/x/docker.sock"), None)
    assert "BatchMode=yes" in words
    assert "StrictHostKeyChecking=yes" in words
    assert f"/tmp/x/docker.sock:{SOCKET}" in words
    assert words[words.index("-l") + 1] == "ops"
    assert words[words.index("-p") + 1] == "2222"
    assert words[words.index("--") + 1] == "10.0.2.10"


def test_another_socket_and_another_configuration_are_named() -> None:
    words = command("ssh://h/run/my.sock", Path("/tmp/s"), "/etc/ssh-of-ci")
    assert "/tmp/s:/run/my.sock" in words
    assert words[:3] == ("ssh", "-F", "/etc/ssh-of-ci")


def test_a_key_that_is_given_is_the_only_one_that_counts() -> None:
    found = ways(Way(host_key="ssh-ed25519 AAAA"), Path("/tmp/known"))
    assert found["HostKeyAlias"] == KNOWN_AS
    assert (found["UserKnownHostsFile"], found["GlobalKnownHostsFile"]) == (
        "/tmp/known",
        "/dev/null",
    )
    assert "UserKnownHostsFile=/tmp/known" in command(ADDRESS, Path("/tmp/s"), None, found)
    assert ways(Way(), Path("/tmp/known")) == {}
    said = "Host key verification failed."
    assert isinstance(refused(ADDRESS, said, Way(host_key="ssh-ed25519 AAAA")), KeysRefused)
    assert "correct its host_key" in refused(ADDRESS, said, Way(host_key="ssh-rsa AAAA")).hint


def test_a_key_that_is_named_is_the_one_that_is_offered() -> None:
    found = ways(Way(key="~/.ssh/rack"), Path("/tmp/known"))
    assert found == {
        "IdentityFile": str(Path.home() / ".ssh/rack"),
        "IdentitiesOnly": "yes",
    }


def test_session_manager_is_gone_through_by_the_command_that_aws_documents() -> None:
    way = Way(through="session-manager/i-0123456789abcdef0@eu-central-1")
    assert ways(way, Path("/tmp/known"))["ProxyCommand"] == (
        "aws ssm start-session --target i-0123456789abcdef0 --region eu-central-1 "
        "--document-name AWS-StartSSHSession --parameters portNumber=%p"
    )


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@\nHost key verification failed.",
            "is not the one that is known",
            "ssh-keygen -R '[10.0.2.10]:2222', then ssh -p 2222 ops@10.0.2.10",
        ),
        ("Host key verification failed.\n", "is not known here", "compare the key"),
        ("ops@h: Permission denied (publickey).\n", "refuses this user's keys", "ssh-copy-id"),
        (
            "ssh: connect to host h port 22: Connection refused\n",
            "cannot be reached: ssh: connect to host h port 22: Connection refused",
            "must log in",
        ),
        ("", "ended without a word", "must log in"),
    ],
)
def test_what_ssh_says_becomes_what_to_do(said: str, message: str, hint: str) -> None:
    found = refused(ADDRESS, said)
    assert message in found.message
    assert hint in (found.hint or "")
