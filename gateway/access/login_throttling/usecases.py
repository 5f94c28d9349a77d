"""Use cases of login attempts. Not here: rules."""

from gateway.access.login_throttling import rules
from gateway.access.transaction import Transaction


async def count_attempt(attempts_id: str, tx: Transaction) -> None:
    """Count an attempt before it is verified, so that parallel attempts are all counted.

    Raises TooManyAttempts if it comes too early.
    """
    known = await tx.login_attempts.seek(attempts_id, scoped=False)
    fresh = rules.count_attempt(known, id=attempts_id, now=tx.now)
    if known is None:
        tx.login_attempts.add(fresh, scoped=False)
    else:
        tx.login_attempts.save(known, fresh)


async def forget_attempts(attempts_id: str, tx: Transaction) -> None:
    """Reset the count after a success."""
    known = await tx.login_attempts.seek(attempts_id, scoped=False)
    if known is not None:
        tx.login_attempts.remove(known)
