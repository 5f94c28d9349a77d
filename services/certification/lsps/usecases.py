"""Use cases of LSPs: registration, licences, keys."""

from __future__ import annotations

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.lsps import rules
from services.certification.lsps.rules import Licence, Lsp, LspKind
from services.certification.transaction import Transaction


async def register_lsp(slug: str, name: str, kind: LspKind, tx: Transaction) -> Lsp:
    """Register an issuer. Raises SlugTaken and what `rules.register` raises."""
    lsp = rules.register(new_id(), slug=slug, name=name, kind=kind, origin=tx.public_origin)
    rules.require_free_slug(await tx.lsps.find_by_slug(slug))
    return tx.lsps.add(lsp)


async def license_lsp(lsp_id: str, licence: Licence, version: int, tx: Transaction) -> Lsp:
    """Add a licence, or correct the one of the same number."""
    before = await tx.lsps.get(lsp_id, if_match=version)
    return tx.lsps.save(before, rules.add_licence(before, licence))


async def require_lsp(lsp_id: str, tx: Transaction) -> None:
    """Raise LspUnknown unless the LSP is one of the caller's."""
    await tx.lsps.get(lsp_id)


async def add_keys(lsp_id: str, keys: list[tuple[str, str]], version: int, tx: Transaction) -> Lsp:
    """Add public keys (name, Multikey) to assertionMethod; known ones change nothing."""
    before = await tx.lsps.get(lsp_id, if_match=version)
    after = before
    for name, public in keys:
        after = rules.add_key(after, name, public, tx.now)
    return before if after == before else tx.lsps.save(before, after)


async def view_lsp(lsp_id: str, tx: Transaction) -> Lsp:
    """Return one of the caller's LSPs."""
    return await tx.lsps.get(lsp_id)


async def list_lsps(cursor: str | None, limit: int, tx: Transaction) -> Page[Lsp]:
    """Return a page of the caller's LSPs."""
    return await tx.lsps.list_page(cursor, limit)


async def find_issuer(slug: str, tx: Transaction) -> Lsp:
    """Return the issuer with this slug, for anybody. Raises LspUnknown."""
    return await tx.lsps.get_by_slug(slug)
