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
    """Return a user of the administrator's places, their grants, and those usable at `at`.

    The read is audited.
    """
    user = await users.show_user(user_id, tx)
    tx.note("access.explained", user.id)
    all_grants = await tx.grants.find_by_user(user.id)
    effective_grants = await grants.read_effective_grants(all_grants, at, tx)
    return (
        user,
        [one for one in all_grants if one.home in user.homes],
        [one for one in effective_grants if one.home in user.homes],
    )
