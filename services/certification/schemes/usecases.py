"""Use cases of schemes: editions are published and read."""

from __future__ import annotations

from chassis.persistence.store import Page
from services.certification.lsps.rules import Lsp
from services.certification.schemes import rules
from services.certification.schemes.rules import Scheme, Terms
from services.certification.transaction import Transaction


async def publish_scheme(lsp_id: str, ref: str, terms: Terms, tx: Transaction) -> Scheme:
    """Publish the next edition of a scheme, which never changes afterwards."""
    await tx.lsps.get(lsp_id)
    newest = await tx.schemes.find_newest(ref)
    return tx.schemes.add(rules.publish(lsp_id, ref, newest, terms, tx.now))


async def view_scheme(edition_id: str, tx: Transaction) -> Scheme:
    """Return one edition of the caller's schemes."""
    return await tx.schemes.get(edition_id)


async def list_schemes(
    ref: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Scheme]:
    """Return a page of editions of the caller's schemes."""
    return await tx.schemes.list_page(ref, cursor, limit)


async def view_public_edition(ref: str, edition: int, tx: Transaction) -> tuple[Scheme, Lsp]:
    """Return one edition with its LSP, for anybody: certificates point to it."""
    scheme = await tx.schemes.get(rules.edition_id(ref, edition), scoped=False)
    lsp = await tx.lsps.get(scheme.lsp_id, scoped=False)
    return scheme, lsp
