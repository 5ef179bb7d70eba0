from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.errors import OpsctlError, UsageError
from opsctl.infra.workspace import Workspace

BINARY = Path("/opt/pulumi/bin/pulumi")


@pytest.fixture(autouse=True)
def _no_passphrase_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_state_lies_with_the_environment_unless_a_bucket_is_named(state: Path) -> None:
    here = Workspace(environment="daily")
    assert here.url == f"file://{state}/environments/daily/infrastructure/state?metadata=skip"
    assert Workspace(environment="daily", backend="s3://b/p?region=x").url == "s3://b/p?region=x"


def test_a_passphrase_is_made_once_and_read_by_its_owner_alone() -> None:
    here = Workspace(environment="daily")
    here.prepare()
    made = here.passphrase.read_text()
    assert len(made) >= 40
    assert here.passphrase.stat().st_mode & 0o777 == 0o600
    here.prepare()
    assert here.passphrase.read_text() == made


def test_the_passphrase_is_in_no_variable_only_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Workspace(environment="daily")
    here.prepare()
    found = here.variables(BINARY)
    assert found["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(here.passphrase)
    assert here.passphrase.read_text() not in str(found)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "/run/secrets/phrase")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in here.variables(BINARY)


def test_a_lost_passphrase_is_not_replaced_by_another_one() -> None:
    here = Workspace(environment="daily")
    here.prepare()
    (here.folder / "Pulumi.daily.yaml").write_text("encryptionsalt: v1:x\n")
    here.passphrase.unlink()
    with pytest.raises(OpsctlError, match="passphrase of the stack daily is gone"):
        here.prepare()
    assert not here.passphrase.exists()


def test_with_a_key_there_is_no_passphrase() -> None:
    here = Workspace(environment="daily", key="awskms://alias/trading?region=eu-central-1")
    here.prepare()
    assert not here.passphrase.exists()
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in here.variables(BINARY)
    assert here.secrets_provider.startswith("awskms://")


@pytest.mark.parametrize(
    ("backend", "key"), [("gs://bucket", ""), ("/some/folder", ""), ("", "alias/trading")]
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(backend: str, key: str) -> None:
    here = Workspace(environment="daily", backend=backend, key=key)
    with pytest.raises(UsageError):
        here.prepare()
    assert not here.folder.exists()


def test_the_engine_downloads_no_code_and_its_scripts_are_found() -> None:
    found = Workspace(environment="daily").variables(BINARY)
    assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert found["PATH"].startswith("/opt/pulumi/bin:")
