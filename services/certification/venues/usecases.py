"""Use cases of places of assessment: recording and verification."""

from __future__ import annotations

from datetime import date

from chassis.persistence.store import Page
from services.certification.transaction import Transaction
from services.certification.venues import rules
from services.certification.venues.rules import Venue, Verification


async def record_venue(venue: Venue, tx: Transaction) -> Venue:
    """Record a venue of one of the caller's LSPs. Raises LspUnknown."""
    await tx.lsps.get(venue.lsp_id)
    return tx.venues.add(venue)


async def verify_venue(
    venue_id: str,
    valid_from: date,
    valid_until: date,
    scheme_refs: frozenset[str],
    version: int,
    tx: Transaction,
) -> Venue:
    """Record that the caller found the venue fit for these days and schemes."""
    before = await tx.venues.get(venue_id, if_match=version)
    verification = Verification(
        valid_from=valid_from,
        valid_until=valid_until,
        scheme_refs=scheme_refs,
        verified_by=tx.caller.subject,
    )
    return tx.venues.save(before, rules.add_verification(before, verification))


async def view_venue(venue_id: str, tx: Transaction) -> Venue:
    """Return one of the caller's venues."""
    return await tx.venues.get(venue_id)


async def list_venues(cursor: str | None, limit: int, tx: Transaction) -> Page[Venue]:
    """Return a page of the caller's venues."""
    return await tx.venues.list_page(cursor, limit)
