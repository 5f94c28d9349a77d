"""A start names wrong settings, without their values."""

from __future__ import annotations

import pytest

from chassis.settings import SettingsInvalid
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
