"""What a destroy takes away, and what it must never touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets import files
from opsctl.targets.local import removal
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.supervisor import Supervisor


@pytest.fixture
def layout(state: Path) -> Layout:
    made = Layout(state / "environments" / "daily")
    for folder in ("data/x@a", "secrets/tls", "etc/x@a", "logs", "services", "run/x@a"):
        (made.root / folder).mkdir(parents=True)
        (made.root / folder / "file").write_text("x")
    for file in ("identity", "ports.json", "supervisord.conf", "supervisord.log.1"):
        (made.root / file).write_text("x")
    return made


def destroyed(layout: Layout, *services: Service, keep_data: bool = False) -> None:
    gone = Supervisor(layout, "an-id")
    list(removal.destroy(layout, "an-id", gone, tuple, services, keep_data=keep_data))


def left(layout: Layout) -> set[str]:
    return {path.name for path in layout.root.iterdir()} if layout.root.exists() else set()


def test_nothing_of_an_environment_is_left(layout: Layout) -> None:
    destroyed(layout)
    assert not layout.root.exists()


def test_data_stays_with_what_opens_it(layout: Layout) -> None:
    destroyed(layout, keep_data=True)
    assert left(layout) == {"data", "secrets", "ports.json", "identity"}
    assert (layout.root / "data" / "x@a" / "file").exists()


def test_what_others_keep_beside_it_is_theirs(layout: Layout) -> None:
    (layout.root / "lock").write_text("held")
    destroyed(layout)
    assert left(layout) == {"lock"}


def test_the_neighbours_stay(layout: Layout) -> None:
    neighbour = layout.root.with_name("weekly")
    neighbour.mkdir()
    destroyed(layout)
    assert neighbour.is_dir()


def test_data_that_lies_elsewhere_by_a_link_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "precious"
    (layout.root / "data").rename(elsewhere)
    (layout.root / "data").symlink_to(elsewhere)
    destroyed(layout)
    assert (elsewhere / "x@a" / "file").exists()
    assert not layout.root.exists()


def test_a_second_run_finds_nothing_to_do(layout: Layout) -> None:
    destroyed(layout)
    destroyed(layout)
    assert not layout.root.exists()


def test_the_identity_goes_last(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed half-way, a destroy must be able to find the processes again."""
    removed: list[Path] = []
    real = files.remove

    def noted(path: Path) -> None:
        removed.append(path)
        real(path)

    monkeypatch.setattr(files, "remove", noted)
    destroyed(layout)
    assert removed[-1] == layout.identity


def test_what_a_server_left_elsewhere_goes_too(layout: Layout, tmp_path: Path) -> None:
    socket, folder = tmp_path / "left.sock", tmp_path / "left-folder"
    socket.write_text("")
    folder.mkdir()
    service = Service(
        name="x",
        site="a",
        kind="server",
        purpose="",
        argv=("x",),
        probe=HttpProbe(at=Address(host="127.0.0.1", port=1), path="/", secret="t"),
        leaves=(str(socket), str(folder), str(tmp_path / "never-made")),
    )
    destroyed(layout, service)
    assert not socket.exists()
    assert folder.is_dir()  # never more than a file
