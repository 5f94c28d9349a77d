"""A start names wrong settings, without their values."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.persistence.field_encryption import KeyRing
from chassis.settings import HexKey, HexKeys, SettingsInvalid
from tests.chassis.sample_service import (
    ShopSettings,
)


def test_settings_name_a_missing_directory_of_keys_and_a_short_audit_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "MONGO_URL": "mongodb://secret-host",
        "SIGNING_KEY": "secret-pem",
        "TRUSTED_KEYS": "/nowhere-at-all",
        "AUDIT_KEY": "11",
        "PORT": "x",
    }.items():
        monkeypatch.setenv(f"SHOP_{name}", value)
    with pytest.raises(SettingsInvalid) as values:
        ShopSettings.load()
    assert all(
        name in str(values.value) for name in ("SHOP_TRUSTED_KEYS", "SHOP_AUDIT_KEY", "SHOP_PORT")
    )
    assert "secret" not in str(values.value)


class RingSettings(ShopSettings, prefix="SHOP_"):
    """Settings with a ring of keys."""

    master_key: HexKey
    former_master_key: HexKeys = SecretStr("")


@pytest.fixture
def ring_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set variables and a directory of secret files that development accepts."""
    for name, value in {
        "BINA_ENVIRONMENT": "development",
        "SHOP_MONGO_URL": "mongodb://mongo",
        "SHOP_SIGNING_KEY": "pem",
        "SHOP_TRUSTED_KEYS": str(tmp_path),
        "SHOP_AUDIT_KEY": "11" * 32,
        "SHOP_PORT": "0",
        "SHOP_SECRETS_DIR": str(tmp_path),
        "SHOP_MASTER_KEY": "22" * 32,
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("ring_variables")
def test_a_file_holds_any_number_of_former_keys(tmp_path: Path) -> None:
    (tmp_path / "shop_former_master_key").write_text(f"{'0a' * 32}\n{'0b' * 32}\n")
    settings = RingSettings.load()
    ring = KeyRing.of("master_key", settings.master_key, settings.former_master_key)
    assert ring.former_ids == tuple(
        KeyRing("master_key", bytes([byte]) * 32).key_id for byte in (0x0A, 0x0B)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("MASTER_KEY", "22" * 31), ("MASTER_KEY", "secret"), ("FORMER_MASTER_KEY", "22" * 33)],
)
def test_a_start_names_a_malformed_key(
    ring_variables: pytest.MonkeyPatch, name: str, value: str
) -> None:
    ring_variables.setenv(f"SHOP_{name}", value)
    with pytest.raises(SettingsInvalid) as refused:
        RingSettings.load()
    assert f"SHOP_{name}: Value error" in str(refused.value)
    assert value not in str(refused.value)
