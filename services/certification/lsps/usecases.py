"""What happens: LSPs are registered, licensed, given keys."""

from __future__ import annotations

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.lsps import rules
from services.certification.lsps.rules import Licence, Lsp, LspKind, LspUnknown, SlugTaken
from services.certification.transaction import Transaction


async def register_lsp(slug: str, name: str, kind: LspKind, origin: str, tx: Transaction) -> Lsp:
    """A new issuer."""
    lsp = rules.register(new_id(), slug=slug, name=name, kind=kind, origin=origin)
    if await tx.lsps.find_by_slug(slug) is not None:
        raise SlugTaken
    return tx.lsps.add(lsp)


async def license_lsp(lsp_id: str, licence: Licence, tx: Transaction) -> Lsp:
    """One more licence, or a corrected one of the same number."""
    before = await tx.lsps.get(lsp_id)
    return tx.lsps.save(before, rules.add_licence(before, licence))


async def add_keys(lsp_id: str, keys: list[tuple[str, str]], tx: Transaction) -> Lsp:
    """Public keys (name, Multikey) in assertionMethod."""
    before = await tx.lsps.get(lsp_id)
    after = before
    for name, public in keys:
        after = rules.add_key(after, name, public, tx.now)
    return before if after == before else tx.lsps.save(before, after)


async def lsp(lsp_id: str, tx: Transaction) -> Lsp:
    """One of the caller's LSPs."""
    return await tx.lsps.get(lsp_id)


async def lsps(cursor: str | None, limit: int, tx: Transaction) -> Page[Lsp]:
    """The caller's LSPs."""
    return await tx.lsps.list_page(cursor, limit)


async def issuer(slug: str, tx: Transaction) -> Lsp:
    """The issuer of this public name, for anybody."""
    found = await tx.lsps.find_by_slug(slug)
    if found is None:
        raise LspUnknown
    return found
