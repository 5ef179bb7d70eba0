from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_key_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the key of whoever runs the tests out of them."""
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(tmp_path_factory.mktemp("key") / "none"))
