"""The store of login attempts, each kept until a day without any. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.login_throttling.rules import AttemptsUnknown, LoginAttempts


class LoginAttemptsStore(Store[LoginAttempts]):
    """Attempts by counter. No claim shows them."""

    kind = LoginAttempts
    collection = "attempts"
    unknown = AttemptsUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)
    audited = False
