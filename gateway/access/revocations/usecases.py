"""Use cases of revocations. Not here: rules."""

from gateway.access.revocations import rules
from gateway.access.revocations.rules import Revocation, RevocationKind
from gateway.access.transaction import Transaction


async def revoke_token(token_id: str, tx: Transaction) -> Revocation:
    """Revoke this token."""
    return await _revoke(RevocationKind.TOKEN, token_id, tx)


async def revoke_subject(subject: str, tx: Transaction) -> Revocation:
    """Revoke all tokens of the subject that were issued until now."""
    return await _revoke(RevocationKind.SUBJECT, subject, tx)


async def revoke_session(session_id: str, tx: Transaction) -> Revocation:
    """Revoke all tokens of this session."""
    return await _revoke(RevocationKind.SESSION, session_id, tx)


async def list_in_force(tx: Transaction) -> list[Revocation]:
    """Return the revocations in force."""
    return await tx.revocations.find_in_force(tx.now)


async def _revoke(kind: RevocationKind, target: str, tx: Transaction) -> Revocation:
    fresh = rules.revoke(kind, target, tx.now)
    known = await tx.revocations.seek(fresh.id, scoped=False)
    if known is None:
        return tx.revocations.add(fresh, scoped=False)
    return tx.revocations.save(known, fresh)
