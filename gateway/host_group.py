"""The host groups of the gateway. Not here: which host names belong to one (settings)."""

from __future__ import annotations

from enum import StrEnum


class Group(StrEnum):
    """Host names with routes, an OpenAPI document, errors and headers of their own."""

    STAFF = "staff"
    SHOP = "shop"
    CERTIFICATE = "certificate"
    PARTNER = "partner"
