from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.targets.local.layout import LONGEST_RUN, Layout

LONGEST_SOCKET = 107
LONGEST_KEY = "alertmanager@" + "x" * 8


@pytest.mark.parametrize("root", ["/var/lib/opsctl/environments/daily", "/home/" + "x" * 200])
def test_every_socket_has_a_path_that_the_kernel_takes(root: str) -> None:
    layout = Layout(Path(root))
    socket = layout.folder(LONGEST_KEY, "run") / ".s.PGSQL.29999.lock"
    assert len(str(socket)) <= LONGEST_SOCKET
    assert len(str(layout.socket)) <= LONGEST_SOCKET


def test_a_long_state_folder_has_one_short_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    long = Path("/home") / ("x" * LONGEST_RUN)
    one, other = Layout(long / "one"), Layout(long / "other")
    assert one.run.parent == tmp_path
    assert one.run == Layout(long / "one").run
    assert one.run != other.run


def test_sockets_stay_with_the_environment_where_its_path_is_short() -> None:
    layout = Layout(Path("/var/lib/opsctl/environments/daily"))
    assert layout.run == layout.root / "run"
