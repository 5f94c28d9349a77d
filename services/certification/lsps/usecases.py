"""Use cases of LSPs: registration, licences, keys."""

from __future__ import annotations

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.lsps import licence_proposals, rules
from services.certification.lsps.rules import Emblem, Licence, Lsp, LspKind, Signatory
from services.certification.transaction import Transaction

REISSUE_JOB = "reissue-certificates"
MAX_PUBLIC_ISSUERS = 200


async def register_lsp(slug: str, name: str, kind: LspKind, tx: Transaction) -> Lsp:
    """Register an issuer. Raises SlugTaken and what `rules.register` raises."""
    lsp = rules.register(new_id(), slug=slug, name=name, kind=kind, origin=tx.public_origin)
    rules.require_free_slug(await tx.lsps.find_by_slug(slug))
    return tx.lsps.add(lsp)


async def propose_licence(lsp_id: str, licence: Licence, version: int, tx: Transaction) -> Lsp:
    """Propose a licence, or the correction of the one of the same number."""
    before = await tx.lsps.get(lsp_id, if_match=version)
    after = licence_proposals.propose(before, new_id(), licence, tx.caller.actor, tx.now)
    return tx.lsps.save(before, after)


async def approve_licence(lsp_id: str, proposal_id: str, version: int, tx: Transaction) -> Lsp:
    """Put a proposed licence in force, as another person.

    Raises LicenceProposalUnknown, SamePersonApproves.
    """
    before = await tx.lsps.get(lsp_id, if_match=version)
    after = licence_proposals.approve(before, proposal_id, tx.caller.actor)
    return tx.lsps.save(before, after)


async def withdraw_licence_proposal(
    lsp_id: str, proposal_id: str, version: int, tx: Transaction
) -> Lsp:
    """Remove a proposed licence that is wrong. Raises LicenceProposalUnknown."""
    before = await tx.lsps.get(lsp_id, if_match=version)
    return tx.lsps.save(before, licence_proposals.withdraw(before, proposal_id))


async def view_proposals(lsp: Lsp, tx: Transaction) -> Lsp:
    """Return the LSP with how many certificates each proposed licence concerns."""
    concerned = {
        proposal.licence.number: await tx.certificates.count_under_licence(
            lsp.id, proposal.licence.number
        )
        for proposal in lsp.licence_proposals
    }
    return licence_proposals.show_concerned(lsp, concerned)


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


async def report_compromise(
    lsp_id: str, key_name: str, replacement: tuple[str, str], version: int, tx: Transaction
) -> Lsp:
    """Withdraw a compromised key and list the one (name, Multikey) that signs in its place.

    Its certificates are re-issued by a job. A second report changes nothing.
    """
    before = await tx.lsps.get(lsp_id)
    if rules.is_compromised(before, key_name):
        return before
    before = await tx.lsps.get(lsp_id, if_match=version)
    name, public = replacement
    withdrawn = rules.report_compromise(before, key_name, tx.now)
    tx.wake(REISSUE_JOB)
    return tx.lsps.save(before, rules.add_key(withdrawn, name, public, tx.now))


async def set_signatory(lsp_id: str, signatory: Signatory, version: int, tx: Transaction) -> Lsp:
    """Set who signs papers from now on; certificates decided before keep their signatory."""
    before = await tx.lsps.get(lsp_id, if_match=version)
    return tx.lsps.save(before, rules.set_signatory(before, signatory))


async def store_emblem(lsp_id: str, content: bytes, version: int, tx: Transaction) -> Lsp:
    """Store the emblem of an LSP, which papers printed from now on show."""
    lsp = await tx.lsps.get(lsp_id, if_match=version)
    emblem = Emblem(id=lsp.id, content=content)
    stored = await tx.emblems.seek(lsp.id)
    if stored is None:
        tx.emblems.add(emblem)
    else:
        tx.emblems.save(stored, emblem)
    return tx.lsps.save(lsp, lsp)


async def read_emblem(lsp_id: str, tx: Transaction) -> Emblem:
    """Return the emblem of one of the caller's LSPs. Raises LspUnknown, EmblemUnknown."""
    await tx.lsps.get(lsp_id)
    return await tx.emblems.get(lsp_id)


async def list_public_issuers(tx: Transaction) -> list[Lsp]:
    """Return the LSPs whose certificates can be checked here, for anybody."""
    return await tx.lsps.list_public_page(MAX_PUBLIC_ISSUERS)


async def view_lsp(lsp_id: str, tx: Transaction) -> Lsp:
    """Return one of the caller's LSPs."""
    return await view_proposals(await tx.lsps.get(lsp_id), tx)


async def list_lsps(cursor: str | None, limit: int, tx: Transaction) -> Page[Lsp]:
    """Return a page of the caller's LSPs."""
    return await tx.lsps.list_page(cursor, limit)


async def find_issuer(slug: str, tx: Transaction) -> Lsp:
    """Return the issuer with this slug, for anybody. Raises LspUnknown."""
    return await tx.lsps.get_by_slug(slug)
