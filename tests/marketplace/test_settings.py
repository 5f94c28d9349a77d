"""The settings of marketplace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.marketplace.settings import MarketplaceSettings


def create_settings(tmp_path: Path, **more: Any) -> MarketplaceSettings:
    """Return the settings of these values, as the environment gives them."""
    values: dict[str, Any] = {
        "mongo_url": "mongodb://x",
        "signing_key": "x",
        "trusted_keys": tmp_path,
        "audit_key": "11" * 32,
        "port": 0,
        "sandbox_key": "SB-Mid-server-TESTKEY",
    }
    return MarketplaceSettings(**values, **more)


@pytest.mark.scenario("M19/sandbox")
def test_the_payment_simulator_refuses_production(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refuses to run in production"):
        create_settings(tmp_path, environment="production", payment_provider="sandbox")


@pytest.mark.scenario("M19/sandbox")
@pytest.mark.parametrize(
    ("environment", "provider"), [("production", "none"), ("development", "sandbox")]
)
def test_the_default_provider_depends_on_the_environment(
    tmp_path: Path, environment: str, provider: str
) -> None:
    assert create_settings(tmp_path, environment=environment).provider == provider
