"""What Ansible says of a failure becomes what happened, where, and what to do."""

from __future__ import annotations

import pytest
import yaml

from opsctl.provision import programs
from opsctl.provision.failing import failure, raw
from opsctl.provision.inventory import BoxHost

HOST = BoxHost(
    name="ny4-1",
    address="10.1.0.11",
    port=2222,
    user="ops",
    groups=("hft",),
    tier=None,
    owner="site/inventory",
    host_key="",
    profile="",
)
CHANGED = (
    "Failed to connect to the host via ssh: @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "Host key verification failed."
)
MISMATCH = (
    "Task failed: Host key checking is enabled, and SSH reported an unrecognized or mismatching "
    "host key."
)


@pytest.mark.parametrize(
    ("said", "stage", "message", "hint"),
    [
        (CHANGED, "keys", "10.1.0.11 port 2222 has another host key", "ask who installed it"),
        (
            MISMATCH,
            "keys",
            "10.1.0.11 port 2222 has another host key",
            "opsctl_host_key",
        ),
        (
            "Failed to connect to the host via ssh: ops@10.1.0.11: Permission denied (publickey).",
            "connect",
            "ops@10.1.0.11 does not take this key",
            "authorized_keys",
        ),
        (
            "Task failed: SSH authentication is incorrect",
            "connect",
            "ops@10.1.0.11 does not take this key",
            "ansible_ssh_private_key_file",
        ),
        (
            "ssh: connect to host 10.1.0.11 port 2222: Connection refused",
            "connect",
            "10.1.0.11 port 2222: nothing listens there",
            "is the box up",
        ),
        (
            "ssh: connect to host 10.1.0.11 port 2222: Connection timed out",
            "connect",
            "does not answer",
            "is the box up",
        ),
        ("Missing sudo password", "connect", "may not sudo without its password", "OPSCTL_BECOME"),
        (
            "sudo: a password is required",
            "connect",
            "ops@10.1.0.11 may not sudo without its password",
            "--become-password-file",
        ),
        (
            "/bin/sh: 1: sudo: not found",
            "connect",
            "finds no sudo on the box",
            "let the account sudo",
        ),
    ],
)
def test_what_keeps_a_box_out_of_reach(said: str, stage: str, message: str, hint: str) -> None:
    told = raw("Read the box", "", {"msg": said}, unreachable=True)
    found = failure("read", told, HOST)
    assert (found.stage, message in found.message, hint in found.hint) == (stage, True, True), found


def test_a_module_that_failed_has_its_role_task_setting_and_words() -> None:
    res = {
        "msg": "One or more items failed",
        "results": [
            {"failed": False, "item": {"id": "sysctl.vm.swappiness"}},
            {
                "failed": True,
                "msg": "setting kernel.nmi_watchdog failed",
                "stderr": "sysctl: Invalid argument",
                "item": {"id": "sysctl.kernel.nmi_watchdog"},
            },
        ],
    }
    found = failure("apply", raw("Write sysctls", "kernel", res, unreachable=False), HOST)
    assert str(found) == (
        "apply: kernel: Write sysctls: sysctl.kernel.nmi_watchdog: "
        "setting kernel.nmi_watchdog failed: sysctl: Invalid argument"
    )


def test_a_box_that_does_not_come_back_from_its_reboot_says_how_to_recover() -> None:
    told = "Timed out waiting for last boot time check (timeout=600)"
    text = (programs.playbooks() / "roles/boot/tasks/reboot.yml").read_text()
    task = yaml.safe_load(text)[0]["name"]
    found = failure("apply", raw(task, "boot", {"msg": told}, unreachable=False), HOST)
    assert found.stage == "reboot"
    assert told in found.message
    assert "cut its power and give it back, and it boots the entry from before" in found.hint


def test_a_full_disk_says_which_command_shows_it() -> None:
    res = {"msg": "write failed", "stderr": "cp: error writing: No space left on device"}
    found = failure("apply", raw("Write the entry", "kernel", res, unreachable=False), HOST)
    assert "df -h" in found.hint


def test_a_failure_without_a_reason_says_so() -> None:
    assert raw("t", "", {}, unreachable=False).message == "no reason was given"
