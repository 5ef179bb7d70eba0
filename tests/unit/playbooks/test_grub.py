"""Which entry boots, with what; and how the menu keeps the one from before."""

from __future__ import annotations

import subprocess

import pytest
from ansible.module_utils.opsctl_box import grub

NEW, OLD = "6.1.0-40-amd64", "6.1.0-38-amd64"
UUID = "5b1c2f5e-8e6a-4a5e-9f0e-2d8b7f1c3a44"


def _entry(title: str, identity: str, release: str, words: str, indent: str = "") -> str:
    lines = (
        f"menuentry '{title}' --class debian --class os $menuentry_id_option '{identity}' {{",
        "\tload_video",
        "\tinsmod gzio",
        "\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi",
        "\tinsmod part_gpt",
        f"\tsearch --no-floppy --fs-uuid --set=root {UUID}",
        f"\techo\t'Loading Linux {release} ...'",
        f"\tlinux\t/boot/vmlinuz-{release} root=UUID={UUID} ro {words}",
        "\techo\t'Loading initial ramdisk ...'",
        f"\tinitrd\t/boot/initrd.img-{release}",
        "}",
    )
    return "".join(f"{indent}{line}\n" for line in lines)


ADVANCED = f"gnulinux-advanced-{UUID}"
MENU = (
    'if [ "${next_entry}" ] ; then\n   set default="${next_entry}"\nfi\n'
    "function load_video {\n  if [ x$feature_all_video_module = xy ]; then\n"
    "    insmod all_video\n  fi\n}\n"
    + _entry("Debian GNU/Linux", f"gnulinux-simple-{UUID}", NEW, "quiet nohz_full=1")
    + f"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option '{ADVANCED}' {{\n"
    + "".join(
        _entry(
            f"Debian GNU/Linux, with Linux {release}{how}",
            f"gnulinux-{release}-{kind}-{UUID}",
            release,
            words,
            "\t",
        )
        for release in (NEW, OLD)
        for how, kind, words in (
            ("", "advanced", "quiet nohz_full=1"),
            (" (recovery mode)", "recovery", "single"),
        )
    )
    + "}\nif [ -f ${config_directory}/custom.cfg ]; then\n  source custom.cfg\nfi\n"
)


def test_the_entry_of_a_kernel_is_the_one_that_always_boots_it() -> None:
    found = grub.entries(MENU)

    assert len(found) == 5
    new, old = grub.of_kernel(found, NEW), grub.of_kernel(found, OLD)
    assert new.id == f"{ADVANCED}>gnulinux-{NEW}-advanced-{UUID}"
    assert old.id == f"{ADVANCED}>gnulinux-{OLD}-advanced-{UUID}"
    assert old.kernel == f"/boot/vmlinuz-{OLD}"
    assert old.initrd == f"/boot/initrd.img-{OLD}"
    assert old.words == (f"root=UUID={UUID}", "ro", "quiet", "nohz_full=1")
    assert grub.of_kernel(found, "6.1.0-1-amd64") is None


def test_an_entry_without_an_id_goes_by_its_title() -> None:
    menu = "menuentry 'By hand' {\nlinux /boot/vmlinuz-6.1.0-40-amd64 root=LABEL=root ro\n}\n"

    found = grub.of_kernel(grub.entries(menu), NEW)
    assert (found.id, found.initrd) == ("By hand", "")


def test_the_fallback_is_the_entry_without_our_words() -> None:
    script = grub.fallback(grub.of_kernel(grub.entries(MENU), NEW), ["nohz_full=1"])
    printed = subprocess.run(
        ["sh"], input=script, capture_output=True, text=True, check=True
    ).stdout

    (found,) = grub.entries(printed)
    assert found.id == grub.BEFORE_ID
    assert found.words == (f"root=UUID={UUID}", "ro", "quiet")
    assert (found.kernel, found.initrd) == (f"/boot/vmlinuz-{NEW}", f"/boot/initrd.img-{NEW}")
    assert grub.of_kernel(grub.entries(MENU + printed), NEW).id != grub.BEFORE_ID


def test_the_settings_are_what_a_shell_takes_them_for() -> None:
    text = grub.settings(["isolcpus=managed_irq,domain,1-3", "nosoftlockup"])
    shell = 'GRUB_CMDLINE_LINUX_DEFAULT=quiet; . /dev/stdin; echo "$GRUB_DEFAULT:$GRUB_CMDLINE_'
    told = subprocess.run(
        ["sh", "-c", shell + 'LINUX_DEFAULT"'],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told == "saved:quiet isolcpus=managed_irq,domain,1-3 nosoftlockup\n"


@pytest.mark.parametrize("word", ['x="1"', "x=$(reboot)", "a b", "x=`id`", ""])
def test_a_word_that_a_shell_would_take_otherwise_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        grub.settings([word])


def test_the_environment_is_read() -> None:
    assert grub.environment("saved_entry=a>b\nnext_entry=\n") == {
        "saved_entry": "a>b",
        "next_entry": "",
    }
