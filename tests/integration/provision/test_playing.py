"""Ansible itself, on this machine: what is taken from its events, and what it may know."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import Interrupted
from opsctl.provision import programs
from opsctl.provision.playing import Play, Played, answers, become_password, play
from tests.support.process import processes
from tests.support.servers import wait_for

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.copy: {content: x, dest: "{{ place }}/{{ inventory_hostname }}"}
    - name: Fail where it is meant to
      ansible.builtin.assert: {that: "item.ok", fail_msg: "{{ item.id }} is wrong", quiet: true}
      loop: [{id: sysctl.a, ok: true}, {id: sysctl.b, ok: "{{ inventory_hostname != 'bad' }}"}]
    - name: Try and be rescued
      block:
        - name: Try
          ansible.builtin.fail: {msg: it is rescued}
      rescue:
        - name: Mend
          ansible.builtin.debug: {msg: mended}
    - name: Fail and be ignored
      ansible.builtin.fail: {msg: nobody minds}
      ignore_errors: true
    - name: Answer
      ansible.builtin.set_fact: {told: "{{ word }}"}
"""
WAITING = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Wait
      ansible.builtin.command: sleep 300
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of playbooks and an inventory of three boxes that are all this machine."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "some.yml").write_text(PLAYBOOK)
    (tmp_path / "books" / "wait.yml").write_text(WAITING)
    (tmp_path / "books" / "broken.yml").write_text("- hosts: all\n  tsks: []\n")
    local = (
        "{ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}"
    )
    hosts = "".join(f"    {name}: {local}\n" for name in ("good", "bad", "other"))
    (tmp_path / "inventory.yml").write_text(f"all:\n  hosts:\n{hosts}")
    (tmp_path / "written").mkdir()
    monkeypatch.setattr(programs, "playbooks", lambda: tmp_path / "books")
    return tmp_path


def played(
    place: Path, name: str, playbook: str = "some.yml", *, check: bool = False, keep: bool = True
) -> Played:
    """Run a playbook over two of the three boxes."""
    variables: dict[str, dict[str, object]] = {
        box: {"place": str(place / "written"), "word": f"of {box}"} for box in ("good", "bad")
    }
    wanted = Play(
        playbook=playbook,
        inventory=str(place / "inventory.yml"),
        variables=variables,
        known_hosts=place / "known_hosts",
        forks=2,
        check=check,
        keep=keep,
    )
    with Interruption(lambda _: None) as interruption:
        return play(wanted, place / "runs" / name, lambda *_: None, interruption)


def test_each_box_has_its_results_and_its_failure(place: Path) -> None:
    found = played(place, "1")
    assert set(found.failures) == {"bad"}
    failure = found.failures["bad"]
    assert (failure.task, failure.setting) == ("Fail where it is meant to", "sysctl.b")
    assert failure.message == "sysctl.b is wrong"
    assert found.changed["good"] == ("Write",)
    answer: Any = answers(found.results["good"], ("ansible_facts",))
    assert answer["ansible_facts"]["told"] == "of good"
    assert "other" not in found.results, "a box that was not asked for took part"
    assert list((place / "runs/1/artifacts/1/job_events").glob("*.json"))


def test_a_check_changes_nothing_and_the_next_run_is_none(place: Path) -> None:
    assert played(place, "1", check=True).changed["good"] == ("Write",)
    assert list((place / "written").iterdir()) == []
    assert played(place, "2").changed["good"] == ("Write",)
    assert (place / "written" / "good").read_text() == "x"
    assert "good" not in played(place, "3").changed


def test_nothing_of_our_environment_is_written_down(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-another")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(place / "theirs.cfg"))
    (place / "theirs.cfg").write_text("[defaults]\ncheck = true\nroles_path = /theirs\n")
    played(place, "1", keep=False)
    files = [path for path in (place / "runs").rglob("*") if path.is_file()]
    assert [path for path in files if path.name == "command"]
    text = "".join(path.read_text(errors="replace") for path in files)
    assert "s3cr3t" not in text
    assert "theirs" not in text
    assert not [path for path in files if path.suffix == ".json" and "job_events" in str(path)]


def test_a_playbook_that_is_none_fails_every_box_with_what_ansible_said(place: Path) -> None:
    found = played(place, "1", "broken.yml")
    assert set(found.failures) == {"good", "bad"}
    assert "tsks" in found.said
    assert "did not come so far" in found.failures["good"].message


def test_a_signal_ends_what_runs(place: Path) -> None:
    timer = threading.Timer(6, signal.raise_signal, [signal.SIGTERM])
    timer.start()
    with subprocess.Popen(["sleep", "300"]) as another:
        try:
            with pytest.raises(Interrupted, match=r"stopped by SIGTERM in wait\.yml"):
                played(place, "1", "wait.yml")
            assert another.poll() is None, "a process that is no part of it was ended"
        finally:
            timer.cancel()
            another.kill()
    wait_for(lambda: not processes("ansible-playbook", str(place)), "its workers to end")


KILLED = """
import pathlib, sys
from opsctl.deploy.interrupt import Interruption
from opsctl.provision import programs
from opsctl.provision.playing import Play, play
place = pathlib.Path(sys.argv[1])
programs.playbooks = lambda: place / "books"
wanted = Play("wait.yml", str(place / "inventory.yml"), {"good": {}}, place / "known", forks=1)
with Interruption(print) as interruption:
    play(wanted, place / "run", lambda host, task: print(task, flush=True), interruption)
"""


def test_killed_ansible_ends_with_it_in_the_middle_of_a_task(place: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(place)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Wait\n"
        assert processes("ansible-playbook", str(place))
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes("ansible-playbook", str(place)), "Ansible to end")


def test_the_password_of_a_variable_is_in_memory_for_as_long_as_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPSCTL_BECOME_PASSWORD", "horse")
    with become_password("OPSCTL_BECOME_PASSWORD", None) as file:
        assert file is not None
        assert subprocess.run([file], capture_output=True, check=True).stdout == b"horse"
        assert "horse" not in file.read_text()
        program = file.read_text().split()[-1]
    assert not file.exists()
    assert not Path(program).exists()
    with become_password("OPSCTL_BECOME_PASSWORD", Path("given")) as file:
        assert file == Path("given")
    monkeypatch.delenv("OPSCTL_BECOME_PASSWORD")
    with become_password("OPSCTL_BECOME_PASSWORD", None) as file:
        assert file is None
