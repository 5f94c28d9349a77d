"""Use cases that read for explanations. Not here: rules."""

from collections.abc import Sequence
from datetime import datetime

from gateway.access.grants import usecases as grants
from gateway.access.grants.rules import Grant
from gateway.access.transaction import Transaction
from gateway.access.users import usecases as users
from gateway.access.users.rules import User


async def get_user_with_grants(
    user_id: str, at: datetime, tx: Transaction
) -> tuple[User, Sequence[Grant], Sequence[Grant]]:
    """Return a user of the administrator's place, their grants, and those in force then.

    The read is noted in the audit.
    """
    user = await users.show_user(user_id, tx)
    tx.note("access.explained", user.id)
    given = await tx.grants.find_by_user(user.id)
    lasting = await grants.read_effective_grants(given, at, tx)
    return (
        user,
        [one for one in given if one.home in user.homes],
        [one for one in lasting if one.home in user.homes],
    )
