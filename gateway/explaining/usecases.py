"""What is read to explain an access."""

from collections.abc import Sequence
from datetime import datetime

from gateway.grants import usecases as grants
from gateway.grants.rules import Grant
from gateway.transaction import Transaction
from gateway.users.rules import User


async def user_with_grants(user_id: str, at: datetime, tx: Transaction) -> tuple[User, Sequence[Grant], Sequence[Grant]]:
    """A user of the administrator's place, all that was ever granted to them, and what of it lasts at that moment; noted, because it is looked into."""
    user = await tx.users.get(user_id)
    tx.note("access.explained", user.id)
    given = await tx.grants.of_user(user.id)
    return user, given, await grants.lasting_of(given, at, tx)
