"""Use cases of sessions. Not here: rules and routes.

Ending all sessions of a user also removes the user's sign-ins in progress.
"""

from gateway.access.revocations import usecases as revocations
from gateway.access.sessions import rules
from gateway.access.sessions.rules import RefreshRefused, Session, SessionUnknown
from gateway.access.transaction import Transaction
from gateway.access.users import usecases as users


async def start_session(session: Session, tx: Transaction) -> Session:
    """Store a new session."""
    return tx.sessions.add(session, scoped=False)


async def refresh_session(
    session_id: str, presented: str, next_refresh: str, repeat: str, tx: Transaction
) -> Session:
    """Replace the refresh token; return the session, ended if the token was used before.

    Raises RefreshRefused.
    """
    before = await tx.sessions.seek(session_id, scoped=False)
    user = None if before is None else await tx.users.seek(before.user_id, scoped=False)
    if before is None or user is None or user.disabled_at is not None:
        raise RefreshRefused
    after = rules.refresh(
        before, presented=presented, next_refresh=next_refresh, repeat=repeat, now=tx.now
    )
    if after is before:
        return before
    if after.ended_at is not None:
        return await _end_session(before, after.ended_why, tx)
    return tx.sessions.save(before, after)


async def end_session(session_id: str, reason: str, tx: Transaction) -> Session:
    """End a session and return it; one that has ended is returned unchanged."""
    session = await tx.sessions.get(session_id, scoped=False)
    if session.ended_at is not None:
        return session
    return await _end_session(session, reason, tx)


async def end_by_refresh_token(session_id: str, presented: str, tx: Transaction) -> None:
    """End the session of this refresh token, if there is one."""
    session = await tx.sessions.seek(session_id, scoped=False)
    if session is None or session.ended_at is not None:
        return
    if presented in {session.refresh, *session.spent}:
        await _end_session(session, "signed out", tx)


async def end_by_access_token(session_id: str, tx: Transaction) -> None:
    """End the session of this access token."""
    session = await tx.sessions.seek(session_id, scoped=False)
    if session is not None and session.ended_at is None:
        await _end_session(session, "signed out", tx)


async def list_own_sessions(tx: Transaction) -> list[Session]:
    """Return the caller's active sessions."""
    return await tx.sessions.find_active(tx.caller.subject, tx.now)


async def end_own_session(session_id: str, tx: Transaction) -> None:
    """End one of the caller's sessions."""
    session = await tx.sessions.seek(session_id, scoped=False)
    if session is None or session.user_id != tx.caller.subject:
        raise SessionUnknown
    if session.ended_at is None:
        await _end_session(session, "signed out", tx)


async def end_own_sessions(tx: Transaction) -> None:
    """End all sessions of the caller."""
    await end_all_sessions(tx.caller.subject, "signed out everywhere", tx)


async def list_sessions(user_id: str, tx: Transaction) -> list[Session]:
    """Return a user's active sessions, as the administrators of their home see them."""
    await tx.users.get(user_id)
    return await tx.sessions.find_active(user_id, tx.now)


async def sign_out_user(user_id: str, tx: Transaction) -> None:
    """End all sessions of a user in the caller's places, of any issuer."""
    user = await tx.users.get(user_id)
    places = users.administered_homes(user, tx.caller)
    if set(user.homes) <= set(places):
        await end_all_sessions(user_id, "signed out by an administrator", tx)
    else:
        # Only users of other issuers have several homes. Their sessions are not ours to end.
        await users.revoke_trust(user, places, tx)


async def end_all_sessions(user_id: str, reason: str, tx: Transaction) -> None:
    """End all sessions and sign-ins of a user, and revoke all their tokens."""
    for signin in await tx.sign_ins.find_by_user(user_id):
        tx.sign_ins.remove(signin)
    for session in await tx.sessions.find_active(user_id, tx.now):
        # Also revoke by session id: the replica that signed the newest token may have a clock ahead
        # of ours.
        await _end_session(session, reason, tx)
    await revocations.revoke_subject(user_id, tx)


async def _end_session(before: Session, reason: str, tx: Transaction) -> Session:
    await revocations.revoke_session(before.id, tx)
    return tx.sessions.save(before, rules.end(before, reason, tx.now))
