"""What happens to users."""

from chassis.ids import new_id
from gateway.transaction import Transaction
from gateway.users import rules
from gateway.users.rules import User


async def register_user(issuer: str, external: str, tx: Transaction) -> User:
    """Make the issuer's subject a user."""
    known = await tx.users.called(issuer, external)
    return tx.users.add(rules.register(known, id=new_id(), issuer=issuer, external=external))
