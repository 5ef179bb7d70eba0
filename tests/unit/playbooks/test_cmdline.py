"""New words of the command line: written, verified, booted once, and then for good."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible.module_utils.opsctl_box import cmdline, grub
from ansible.module_utils.opsctl_box.record import Record
from ansible.module_utils.opsctl_box.system import Done, Refused, System

KERNEL = "6.1.0-40-amd64"
WORDS = ["isolcpus=managed_irq,domain,1-3", "nosoftlockup"]
ENTRY = f"advanced>linux-{KERNEL}"
SOURCED = """
. "$1/etc/default/grub"
for x in "$1"/etc/default/grub.d/*.cfg; do [ ! -e "$x" ] || . "$x"; done
echo "$GRUB_CMDLINE_LINUX_DEFAULT"
"""


class FakeGrub(System):  # type: ignore[misc]  # Ansible gives it no types
    """GRUB's programs on a folder; the guest of tests/e2e/boxes has the real ones."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.folder = root
        self.environment: dict[str, str] = {}
        self.updates = 0
        self.broken = False
        for path, text in {
            "etc/default/grub": "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\n",
            f"boot/vmlinuz-{KERNEL}": "kernel",
            f"boot/initrd.img-{KERNEL}": "initrd",
            "proc/sys/kernel/osrelease": f"{KERNEL}\n",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        self.update()
        self.boot(ENTRY)

    def run(self, *argv: str, given: str = "", limit_s: float = 120.0) -> Done:
        match argv:
            case ("update-grub",):
                self.updates += 1
                self.update()
            case ("grub-set-default", name):
                self.environment["saved_entry"] = name
            case ("grub-reboot", name):
                self.environment["next_entry"] = name
            case ("grub-editenv", _, "unset", name):
                self.environment.pop(name, None)
            case ("grub-editenv", "-", "list"):
                pairs = (f"{name}={value}\n" for name, value in self.environment.items())
                return Done(0, "".join(pairs), "")
            case ("systemctl", *_):
                pass
            case _:
                raise AssertionError(argv)
        return Done(0, "", "")

    def update(self) -> None:
        """Write the menu: the words of all settings, and what scripts add."""
        told = self._shell("-c", SOURCED, "sh", str(self.folder))
        words = "" if self.broken else told.strip()
        body = (
            f"linux /boot/vmlinuz-{KERNEL} root=UUID=1 ro {words}\n"
            f"initrd /boot/initrd.img-{KERNEL}\n"
        )
        added = "".join(self._shell(str(one)) for one in self.folder.glob("etc/grub.d/*"))
        menu = self.folder / "boot/grub/grub.cfg"
        menu.parent.mkdir(exist_ok=True)
        menu.write_text(
            f"submenu 'more' --id 'advanced' {{\nmenuentry 'x' --id 'linux-{KERNEL}' {{\n{body}"
            f"}}\n}}\n{added}"
        )

    def boot(self, entry: str = "") -> None:
        """Boot the entry that GRUB would; one that was to be booted once is not any more."""
        chosen = entry or self.environment.pop("next_entry", "") or self.environment["saved_entry"]
        menu = grub.entries((self.folder / "boot/grub/grub.cfg").read_text())
        (words,) = [one.words for one in menu if one.id == chosen]
        (self.folder / "proc/cmdline").write_text(" ".join(words) + "\n")

    @staticmethod
    def _shell(*argv: str) -> str:
        done = subprocess.run(["sh", *argv], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def server(root: Path) -> FakeGrub:
    return FakeGrub(root)


def files(root: Path) -> set[str]:
    places = [root / "etc", root / "boot"]
    return {str(one) for place in places for one in place.rglob("*") if one.is_file()}


def test_new_words_are_booted_once_and_then_for_good(server: FakeGrub) -> None:
    made = cmdline.hold(server, WORDS, check=False)
    assert made.reboot_for == WORDS
    assert made.entry == ENTRY
    assert server.environment == {"saved_entry": grub.BEFORE_ID, "next_entry": ENTRY}

    server.boot()
    came_up = cmdline.hold(server, WORDS, check=False)
    assert (came_up.changes, came_up.reboot_for) == ([], [])
    assert server.environment == {"saved_entry": ENTRY}
    assert server.updates == 1


def test_a_boot_that_hangs_is_followed_by_the_entry_from_before(server: FakeGrub) -> None:
    cmdline.hold(server, WORDS, check=False)
    server.boot()  # and nobody saves it
    server.boot()

    assert not set(WORDS) & set((server.read("/proc/cmdline") or "").split())


def test_a_check_writes_nothing(server: FakeGrub, root: Path) -> None:
    before = files(root)
    checked = cmdline.hold(server, WORDS, check=True)

    assert [one["at"] for one in checked.changes] == [cmdline.SETTINGS]
    assert files(root) == before
    assert server.updates == 0
    cmdline.hold(server, WORDS, check=False)
    assert cmdline.hold(server, WORDS, check=True).changes == []


def test_a_menu_that_lacks_the_words_is_taken_back(server: FakeGrub, root: Path) -> None:
    server.broken = True
    with pytest.raises(Refused, match="not fit to boot, so it was taken back: its entry lacks"):
        cmdline.hold(server, WORDS, check=False)

    assert not (root / cmdline.SETTINGS.lstrip("/")).exists()
    assert server.environment == {}


def test_a_menu_without_its_initial_disk_is_taken_back(server: FakeGrub, root: Path) -> None:
    (root / f"boot/initrd.img-{KERNEL}").write_text("")
    with pytest.raises(Refused, match=f"initrd.img-{KERNEL} is not there"):
        cmdline.hold(server, WORDS, check=False)


def test_other_words_are_on_trial_again(server: FakeGrub) -> None:
    cmdline.hold(server, WORDS, check=False)
    server.boot()
    cmdline.hold(server, WORDS, check=False)

    changed = cmdline.hold(server, ["nosoftlockup"], check=False)
    assert changed.reboot_for == WORDS[:1]
    server.boot()
    assert cmdline.hold(server, ["nosoftlockup"], check=False).reboot_for == []
    assert server.environment["saved_entry"] == ENTRY


def test_taken_back_it_is_as_it_was(server: FakeGrub, root: Path) -> None:
    before = files(root)
    server.environment["saved_entry"] = "theirs"
    cmdline.hold(server, WORDS, check=False)
    server.boot()
    cmdline.hold(server, WORDS, check=False)

    back = cmdline.hold(server, [], check=False)
    assert back.reboot_for == WORDS
    assert Record(server).left() == ["cmdline grub"]  # it holds when it was booted
    server.boot(ENTRY)
    again = cmdline.hold(server, [], check=False)
    assert (again.changes, again.reboot_for) == ([], [])
    assert Record(server).left() == []
    assert files(root) == before
    assert server.environment == {"saved_entry": "theirs"}
