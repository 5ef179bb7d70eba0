from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from opsctl.errors import UsageError
from opsctl.toolchain import gomodule
from opsctl.toolchain.registry import PROGRAMS, Debian, GoModule, Wheel, program

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "opsctl" / "toolchain" / "modules"


def test_wheels_are_pinned_as_the_extra_local_pins_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheels = [m for p in PROGRAMS for m in p.methods if isinstance(m, Wheel)]
    pins = sorted(f"{m.distribution}=={m.pin}" for m in wheels)
    assert pins == sorted(project["optional-dependencies"]["local"])


def test_every_method_gives_a_version_that_the_program_accepts() -> None:
    for known in PROGRAMS:
        for method in known.methods:
            if isinstance(method, Wheel):
                assert known.accepts(method.pin, "wheel")
            if isinstance(method, GoModule):
                mod = (MODULES / method.module / "go.mod").read_text()
                assert known.accepts(gomodule.required(mod, method.version_from), "go")
                scripts = {Path(script).name for script in method.scripts}
                assert {*method.targets, *scripts} == {b.name for b in known.binaries}
                assert bool(method.scripts_from) == bool(scripts)
                assert not scripts or gomodule.required(mod, method.scripts_from)


def test_go_modules_are_locked_and_name_what_is_built() -> None:
    for known in PROGRAMS:
        for method in known.methods:
            if isinstance(method, GoModule):
                tools = (MODULES / method.module / "tools.go").read_text()
                sums = (MODULES / method.module / "go.sum").read_text()
                for target in method.targets.values():
                    assert f'_ "{target}"' in tools
                    assert any(target.startswith(line.split()[0]) for line in sums.splitlines())


def test_only_the_fallback_may_be_older_than_what_is_wanted() -> None:
    etcd = program("etcd")
    assert etcd.accepts("3.4.23-4+b4", "debian")
    assert not etcd.accepts("3.4.23", "path")
    assert not etcd.accepts("3.6.16", "a method of another release")
    assert [m.note for m in etcd.methods if isinstance(m, Debian)] != [""]


def test_the_version_is_asked_of_a_binary_of_the_program() -> None:
    for known in PROGRAMS:
        assert known.asked.argv[0] in {b.name for b in known.binaries}


def test_methods_rank_in_their_order_and_unknown_ones_last() -> None:
    etcd = program("etcd")
    assert [etcd.rank(k) for k in ("path", "go", "debian", "other")] == [0, 1, 2, 3]


def test_an_unknown_program_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        program("redis")
    assert "valkey" in caught.value.hint
