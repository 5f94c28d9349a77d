"""How attempts are kept: until a day without any."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.login_throttling.rules import AttemptsUnknown, LoginAttempts


class LoginAttemptsStore(Store[LoginAttempts]):
    """Attempts by the door they were made at. No claim shows them to anybody."""

    kind = LoginAttempts
    collection = "attempts"
    unknown = AttemptsUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)
    audited = False
