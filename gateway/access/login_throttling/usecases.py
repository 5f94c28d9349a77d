"""What happens to attempts."""

from gateway.access.login_throttling import rules
from gateway.access.transaction import Transaction


async def count_attempt(door: str, tx: Transaction) -> None:
    """Count a try before it is judged, so that many at once are no way around; TooManyAttempts before its time."""
    known = await tx.attempts.seek(door, scoped=False)
    fresh = rules.counted(known, id=door, now=tx.now)
    if known is None:
        tx.attempts.add(fresh, scoped=False)
    else:
        tx.attempts.save(known, fresh)


async def forget_attempts(door: str, tx: Transaction) -> None:
    """The try was right."""
    known = await tx.attempts.seek(door, scoped=False)
    if known is not None:
        tx.attempts.remove(known)
