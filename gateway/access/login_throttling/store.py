"""The store of login attempts, kept for 24 hours after the last one. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.login_throttling.rules import AttemptsUnknown, LoginAttempts


class LoginAttemptsStore(Store[LoginAttempts]):
    """Attempts by counter. No claim gives access to them."""

    kind = LoginAttempts
    collection = "attempts"
    unknown = AttemptsUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)
    audited = False
