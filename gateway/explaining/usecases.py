"""What is read to explain an access."""

from collections.abc import Sequence

from gateway.grants.rules import Grant
from gateway.transaction import Transaction
from gateway.users.rules import User


async def user_with_grants(user_id: str, tx: Transaction) -> tuple[User, Sequence[Grant]]:
    """A user of the administrator's place, and all that was ever granted to them; noted, because it is looked into."""
    user = await tx.users.get(user_id)
    tx.note("access.explained", user.id)
    return user, await tx.grants.of_user(user.id)
