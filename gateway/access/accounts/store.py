"""The store of accounts. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.accounts.rules import Account, AccountUnknown


class Accounts(Store[Account]):
    """Accounts by user; the administrators of the user's home see them.

    Audit rows have only the names of changed secret fields, not their values.
    """

    kind = Account
    collection = "accounts"
    unknown = AccountUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("home"),)
    secret = frozenset(
        {"password", "codes", "passkeys", "devices", "familiar", "reset", "ceremony"}
    )
