from __future__ import annotations

import pytest

from opsctl.toolchain import gomodule

MOD = """module tools

go 1.26.0

require (
\tgo.etcd.io/etcd/etcdctl/v3 v3.6.16
\tgo.etcd.io/etcd/server/v3 v3.6.17
)

require go.etcd.io/raft/v3 v3.6.0 // indirect
"""


def test_the_version_is_the_one_that_the_go_mod_requires() -> None:
    assert gomodule.required(MOD, "go.etcd.io/etcd/server/v3") == "3.6.17"
    assert gomodule.required(MOD, "go.etcd.io/raft/v3") == "3.6.0"
    assert gomodule.needed(MOD) == "1.26.0"


def test_a_go_mod_without_it_is_an_error() -> None:
    with pytest.raises(ValueError, match="requires no"):
        gomodule.required(MOD, "go.etcd.io/etcd")
    with pytest.raises(ValueError, match="no version of Go"):
        gomodule.needed("module tools\n")


def test_a_long_build_tells_now_and_then_how_far_it_is() -> None:
    said: list[str] = []
    line = gomodule.counted(said.append)
    for n in range(gomodule.SAY_EVERY_MODULES):
        line(f"go: downloading example.org/m{n} v1.0.0")
    assert said == [f"downloading modules ({gomodule.SAY_EVERY_MODULES})"]
    for n in range(2 * gomodule.SAY_EVERY_PACKAGES):
        line(f"example.org/m/v3/pkg-{n}")
    line("# example.org/m: no package, a remark")
    assert said[1:] == ["compiling packages (250)", "compiling packages (500)"]
