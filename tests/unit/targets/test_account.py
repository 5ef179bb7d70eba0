from __future__ import annotations

import threading
from pathlib import Path

import pytest

from opsctl.targets.local import account
from opsctl.targets.local.account import Account


def test_deploys_at_once_make_the_account_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entries: list[Account] = []
    both = threading.Barrier(2, timeout=10)

    def known() -> Account | None:
        if threading.current_thread() not in asked:
            asked.add(threading.current_thread())
            both.wait()  # neither has found it when both go on
            return None
        return entries[-1] if entries else None

    def made() -> Account:
        entries.append(Account("opsctl", 990 + len(entries), 990))
        return entries[-1]

    asked: set[threading.Thread] = set()
    monkeypatch.setattr(account, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(account, "known", known)
    monkeypatch.setattr(account, "_made", made)
    found: list[Account] = []
    threads = [threading.Thread(target=lambda: found.append(account.ensure())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [entries[0]] * 2
    assert len(entries) == 1
