"""A topic's settings are a desired state: written once, put back when no longer wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.opsctl_box.hold import After, Wish, hold
from ansible.module_utils.opsctl_box.record import BOOT, Record, held
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_read import boot

LIMITS = "etc/security/limits.d/90-opsctl-limits.conf"


def wish(*settings: tuple[str, str, str], topic: str = "limits", **more: Any) -> Wish:
    by_means: dict[str, list[dict[str, Any]]] = {}
    for means, at, want in settings:
        one = {"id": f"{means}.{at}", "topic": topic, "at": at, "want": want, **more}
        by_means.setdefault(means, []).append(one)
    return Wish(topic, by_means, [After("/etc/a/", ["touch", "/nowhere/ran"])], "")


def tree(root: Path) -> dict[str, str]:
    files = (one for one in root.rglob("*") if one.is_file())
    return {str(one.relative_to(root)): one.read_text() for one in files}


MEMLOCK = ("limit", "trading memlock", "unlimited")
SWAP = ("sysctl", "vm.swappiness", "1")
NOTE = ("file", "/etc/b/note.conf", "ours\n")


@pytest.fixture
def server(root: Path) -> System:
    (root / "proc/sys/vm").mkdir()
    (root / "proc/sys/vm/swappiness").write_text("60\n")
    return System(str(root))


def test_what_differs_is_written_now_and_for_the_next_boot(server: System, root: Path) -> None:
    done = hold(server, wish(MEMLOCK, SWAP, NOTE), check=False)

    assert not done.problems
    assert (root / LIMITS).read_text().endswith("@trading - memlock unlimited\n")
    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"
    kept = (root / "etc/sysctl.d/99-zz-opsctl-limits.conf").read_text()
    assert kept.endswith("vm.swappiness = 1\n")
    assert {"setting": "sysctl.vm.swappiness", "at": "vm.swappiness", "was": "60", "want": "1"} in (
        done.changes
    )


def test_a_second_run_changes_nothing(server: System, root: Path) -> None:
    hold(server, wish(MEMLOCK, SWAP, NOTE), check=False)
    before = tree(root)

    assert hold(server, wish(MEMLOCK, SWAP, NOTE), check=False).changes == []
    assert tree(root) == before


def test_a_check_tells_the_same_and_touches_nothing(server: System, root: Path) -> None:
    before = tree(root)
    checked = hold(server, wish(MEMLOCK, SWAP, NOTE), check=True)

    assert tree(root) == before
    assert checked.changes == hold(server, wish(MEMLOCK, SWAP, NOTE), check=False).changes
    assert hold(server, wish(MEMLOCK, SWAP, NOTE), check=True).changes == []


def test_what_is_no_longer_wanted_is_put_back(server: System, root: Path) -> None:
    (root / "etc/b").mkdir(parents=True)
    (root / "etc/b/note.conf").write_text("theirs, without an end of line")
    (root / "etc/b/note.conf").chmod(0o640)
    before = tree(root)

    hold(server, wish(MEMLOCK, SWAP, NOTE), check=False)
    hold(server, wish(MEMLOCK), check=False)
    assert (root / "proc/sys/vm/swappiness").read_text() == "60\n"
    assert (root / LIMITS).exists()
    hold(server, wish(), check=False)

    ours = "var/lib/opsctl/provision/"
    assert {path: text for path, text in tree(root).items() if not path.startswith(ours)} == before
    assert (root / "etc/b/note.conf").stat().st_mode & 0o777 == 0o640
    assert Record(server).left() == []


def test_a_file_that_was_not_there_goes_with_its_folder(server: System, root: Path) -> None:
    hold(server, wish(NOTE), check=False)
    hold(server, wish(), check=False)

    assert not (root / "etc/b").exists()


def test_what_was_before_is_kept_once(server: System, root: Path) -> None:
    hold(server, wish(SWAP), check=False)
    (root / "proc/sys/vm/swappiness").write_text("30\n")  # by hand, meanwhile
    hold(server, wish(SWAP), check=False)
    hold(server, wish(), check=False)

    assert (root / "proc/sys/vm/swappiness").read_text() == "60\n"


def test_a_setting_that_moves_to_another_topic_is_not_put_back(server: System, root: Path) -> None:
    hold(server, wish(SWAP, topic="memory"), check=False)
    hold(server, wish(SWAP, topic="kernel"), check=False)
    hold(server, wish(topic="memory"), check=False)

    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"


def test_one_that_is_refused_spoils_no_other(server: System, root: Path) -> None:
    gone = ("sysctl", "kernel.nmi_watchdog", "0")
    done = hold(server, wish(gone, SWAP), check=False)

    assert [one["setting"] for one in done.problems] == ["sysctl.kernel.nmi_watchdog"]
    assert "No such file" in done.problems[0]["message"]
    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"
    assert "nmi" not in (root / "etc/sysctl.d/99-zz-opsctl-limits.conf").read_text()


def test_a_bound_is_held_by_what_lies_within(server: System, root: Path) -> None:
    assert hold(server, wish(SWAP, compare="at_least"), check=False).changes[1:] == []
    assert (root / "proc/sys/vm/swappiness").read_text() == "60\n"
    hold(server, wish(SWAP, compare="at_most"), check=False)
    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"


def test_what_must_follow_a_file_outlives_a_run_that_was_cut_off(
    server: System, root: Path
) -> None:
    followed = ("file", "/etc/a/one.conf", "ours\n")
    done = hold(server, wish(followed), check=False)
    assert [one["setting"] for one in done.problems] == ["touch /nowhere/ran"]

    # The file is as wanted by now; what was owed is still tried, and told of.
    again = hold(server, wish(followed), check=False)
    assert again.changes == []
    assert [one["setting"] for one in again.problems] == ["touch /nowhere/ran"]

    (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    assert not hold(server, wish(followed), check=False).problems


def test_a_file_that_holds_after_a_boot_asks_for_one_until_it_was(
    server: System, root: Path
) -> None:
    hold(server, wish(NOTE, boot=True), check=False)
    assert Record(server).reboot_for() == ["/etc/b/note.conf"]
    (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    assert Record(server).reboot_for() == []


def test_a_record_that_cannot_be_trusted_stops_everything(server: System, root: Path) -> None:
    hold(server, wish(SWAP), check=False)
    before = root / "var/lib/opsctl/provision/before.json"
    kept = json.loads(before.read_text())

    before.write_text(json.dumps({**kept, "format": 2}))
    with pytest.raises(Refused, match="use the release of opsctl"):
        hold(server, wish(), check=False)
    before.write_text("{")
    with pytest.raises(Refused, match="is damaged"):
        hold(server, wish(), check=False)
    assert (root / "proc/sys/vm/swappiness").read_text() == "1\n"


def test_two_runs_do_not_write_at_once(server: System) -> None:
    with held(server), pytest.raises(Refused, match="another provisioning"), held(server):
        pass


def test_a_means_that_is_not_known_is_refused(server: System) -> None:
    with pytest.raises(Refused, match="no means is called firmware"):
        hold(server, wish(("firmware", "x", "1")), check=False)


def test_what_somebody_changed_of_the_files_for_the_next_boot_is_told_and_mended(
    server: System, root: Path
) -> None:
    assert boot.files(str(root)).value is None
    hold(server, wish(MEMLOCK, SWAP), check=False)
    assert boot.files(str(root)).value == "as written"

    path = "/etc/sysctl.d/99-zz-opsctl-limits.conf"
    with (root / path[1:]).open("a") as file:
        file.write("vm.swappiness = 60\n")
    (root / LIMITS).unlink()
    assert boot.files(str(root)).value == f"/{LIMITS} is gone; {path} was changed"

    done = hold(server, wish(MEMLOCK, SWAP), check=False)
    assert {one["at"] for one in done.changes} == {path, f"/{LIMITS}", "trading memlock"}
    assert boot.files(str(root)).value == "as written"
    hold(server, wish(), check=False)
    assert json.loads((root / BOOT[1:]).read_text()) == {}


def test_a_unit_that_is_not_enabled_for_the_next_boot_is_told(server: System, root: Path) -> None:
    Record(server).for_boot("some", {}, ["opsctl-some.service"])
    assert boot.files(str(root)).value == "opsctl-some.service is not enabled"
    link = root / "etc/systemd/system/multi-user.target.wants/opsctl-some.service"
    link.parent.mkdir(parents=True)
    link.touch()
    assert boot.files(str(root)).value == "as written"
    Record(server).for_boot("some", {})
    assert boot.files(str(root)).value == "as written"
