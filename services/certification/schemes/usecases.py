"""What happens: editions of schemes are published."""

from __future__ import annotations

from chassis.persistence.store import Page
from services.certification.schemes import rules
from services.certification.schemes.rules import Scheme, Terms
from services.certification.transaction import Transaction


async def publish_scheme(lsp_id: str, ref: str, terms: Terms, tx: Transaction) -> Scheme:
    """The next edition, for ever as it is."""
    await tx.lsps.get(lsp_id)
    return tx.schemes.add(
        rules.publish(lsp_id, ref, await tx.schemes.find_newest(ref), terms, tx.now)
    )


async def scheme(edition_id: str, tx: Transaction) -> Scheme:
    """One edition of the caller's schemes."""
    return await tx.schemes.get(edition_id)


async def schemes(ref: str | None, cursor: str | None, limit: int, tx: Transaction) -> Page[Scheme]:
    """Editions of the caller's schemes."""
    return await tx.schemes.list_page(ref, cursor, limit)


async def public_edition(ref: str, edition: int, tx: Transaction) -> tuple[Scheme, str]:
    """One edition with its LSP's name, for anybody: certificates point to it."""
    found = await tx.schemes.get(rules.edition_id(ref, edition), scoped=False)
    return found, (await tx.lsps.get(found.lsp_id, scoped=False)).name
