"""Rules of licence proposals: one person proposes a licence, another one approves it.

Source: certification section 9. Not here: what a licence covers (rules).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.caller import Actor
from chassis.errors import NotFound, Refused
from services.certification.lsps.rules import Licence, LicenceProposal, Lsp, check_licence
from services.certification.settings import TEXTS


class LicenceProposalUnknown(NotFound):
    title = TEXTS["errors.licence_proposal_unknown"]


class SamePersonApproves(Refused):
    title = TEXTS["errors.same_person_approves"]


def propose(lsp: Lsp, proposal_id: str, licence: Licence, by: Actor, now: datetime) -> Lsp:
    """Propose a licence, or another one of the same number. Raises LicencePeriodInvalid.

    A proposal of the same number that waits is replaced.
    """
    check_licence(licence)
    proposal = LicenceProposal(
        id=proposal_id,
        licence=licence,
        proposed_at=now,
        proposed_by=by.by,
        proposed_for=by.on_behalf_of,
    )
    others = [each for each in lsp.licence_proposals if each.licence.number != licence.number]
    return replace(lsp, licence_proposals=(*others, proposal))


def approve(lsp: Lsp, proposal_id: str, by: Actor) -> Lsp:
    """Add the proposed licence, or replace the one of the same number, as a second person.

    Certificates are not affected: each one holds the licence under which it was issued. Raises
    LicenceProposalUnknown, SamePersonApproves.
    """
    proposal = require_proposal(lsp, proposal_id)
    if by.conflicts_with(Actor(proposal.proposed_by, proposal.proposed_for)):
        raise SamePersonApproves
    licence = proposal.licence
    others = [known for known in lsp.licences if known.number != licence.number]
    return replace(withdraw(lsp, proposal_id), licences=(*others, licence))


def withdraw(lsp: Lsp, proposal_id: str) -> Lsp:
    """Return the LSP without the proposal. Raises LicenceProposalUnknown."""
    proposal = require_proposal(lsp, proposal_id)
    left = tuple(each for each in lsp.licence_proposals if each is not proposal)
    return replace(lsp, licence_proposals=left)


def require_proposal(lsp: Lsp, proposal_id: str) -> LicenceProposal:
    """Return the proposal that waits. Raises LicenceProposalUnknown."""
    for proposal in lsp.licence_proposals:
        if proposal.id == proposal_id:
            return proposal
    raise LicenceProposalUnknown


def show_concerned(lsp: Lsp, certificates: dict[str, int]) -> Lsp:
    """Return the LSP with how many certificates began under the number of each proposal."""
    shown = tuple(
        replace(each, certificates=certificates[each.licence.number])
        for each in lsp.licence_proposals
    )
    return replace(lsp, licence_proposals=shown)
