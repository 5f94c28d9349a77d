"""Settings (prefix `MARKETPLACE_`) and texts of marketplace.

Not here: settings that every service has (chassis.settings).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from chassis.settings import Settings
from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))


class MarketplaceSettings(Settings, prefix="MARKETPLACE_"):
    """The payment provider, and how long goods are reserved for an unpaid order."""

    payment_provider: Literal["", "none", "sandbox"] = Field(
        "", description="empty: sandbox in development, none in production"
    )
    sandbox_key: SecretStr = Field(SecretStr(""), description="server key of the payment simulator")
    checkout_hold_seconds: int = Field(300, ge=1, le=86_400)
    reservation_ttl_seconds: int = Field(900, ge=1, le=86_400)
    payment_grace_seconds: int = Field(120, ge=0, le=3_600)

    @model_validator(mode="after")
    def _check_payment_simulator(self) -> Self:
        if self.provider == "sandbox" and self.environment == "production":
            message = "the payment simulator refuses to run in production"
            raise ValueError(message)
        if self.provider == "sandbox" and not self.sandbox_key.get_secret_value():
            message = "the payment simulator needs MARKETPLACE_SANDBOX_KEY"
            raise ValueError(message)
        return self

    @property
    def provider(self) -> Literal["none", "sandbox"]:
        """The payment provider of this installation."""
        if self.payment_provider:
            return self.payment_provider
        return "sandbox" if self.environment == "development" else "none"

    @property
    def checkout_hold(self) -> timedelta:
        """How long an order holds goods before its buyer opens the payment page."""
        return timedelta(seconds=self.checkout_hold_seconds)

    @property
    def reservation_ttl(self) -> timedelta:
        """How long an order holds goods after its buyer opens the payment page."""
        return timedelta(seconds=self.reservation_ttl_seconds)

    @property
    def payment_grace(self) -> timedelta:
        """How long goods stay reserved after their charge has expired.

        A settlement notification can arrive later than the expiry.
        """
        return timedelta(seconds=self.payment_grace_seconds)
