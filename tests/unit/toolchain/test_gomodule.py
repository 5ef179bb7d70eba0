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
