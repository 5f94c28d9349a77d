"""What marketplace is told at start."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from chassis.settings import Settings


class MarketplaceSettings(Settings, prefix="MARKETPLACE_"):
    """Payment provider, and how long goods wait for their payment."""

    payment_provider: Literal["", "none", "sandbox"] = Field(
        "", description="empty: sandbox in development, none in production"
    )
    sandbox_key: SecretStr = Field(SecretStr(""), description="the sandbox gateway's server key")
    reservation_ttl_seconds: int = Field(900, ge=1, le=86_400)
    payment_grace_seconds: int = Field(120, ge=0, le=3_600)

    @model_validator(mode="after")
    def _check_payment_simulator(self) -> Self:
        if self.provider == "sandbox" and self.environment == "production":
            message = "the sandbox gateway refuses to run in production"
            raise ValueError(message)
        if self.provider == "sandbox" and not self.sandbox_key.get_secret_value():
            message = "MARKETPLACE_SANDBOX_KEY is needed by the sandbox gateway"
            raise ValueError(message)
        return self

    @property
    def provider(self) -> Literal["none", "sandbox"]:
        """Who takes payments here."""
        return self.payment_provider or ("sandbox" if self.environment == "development" else "none")

    @property
    def reservation_ttl(self) -> timedelta:
        """How long an order holds goods before its charge is opened."""
        return timedelta(seconds=self.reservation_ttl_seconds)

    @property
    def payment_grace(self) -> timedelta:
        """How long goods still wait after their charge has expired: news of a settlement travels."""
        return timedelta(seconds=self.payment_grace_seconds)
