"""Rules of licence proposals: two persons, and what replaces what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chassis.caller import Actor
from services.certification.lsps import licence_proposals, rules
from services.certification.lsps.licence_proposals import (
    LicenceProposalUnknown,
    SamePersonApproves,
)
from services.certification.lsps.rules import Licence, LicencePeriodInvalid, Lsp, LspKind
from tests.fakes import not_four_eyes

NOW = datetime(2026, 11, 30, 3, tzinfo=UTC)
OFFICER = Actor("petugas", "ketua")
SECOND = Actor("administrator")
LSP = Lsp(id="l", slug="l", name="LSP", kind=LspKind.P3, origin="https://x", did="did:web:x")
LICENCE = Licence(
    number="L-1",
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    scheme_refs=frozenset({"las"}),
)
WIDER = replace(LICENCE, valid_until=date(2036, 12, 31), scheme_refs=frozenset({"las", "listrik"}))


def propose(lsp: Lsp, licence: Licence, proposal_id: str = "p", by: Actor = OFFICER) -> Lsp:
    return licence_proposals.propose(lsp, proposal_id, licence, by, NOW)


def test_a_proposed_licence_covers_nothing() -> None:
    proposed = propose(LSP, LICENCE)
    assert proposed.licences == ()
    assert rules.find_licence(proposed, "las", date(2026, 6, 1)) is None


def test_nobody_approves_what_the_same_person_proposed() -> None:
    proposed = propose(LSP, LICENCE)
    for actor in not_four_eyes(*OFFICER):
        with pytest.raises(SamePersonApproves):
            licence_proposals.approve(proposed, "p", actor)
    approved = licence_proposals.approve(proposed, "p", SECOND)
    assert (approved.licences, approved.licence_proposals) == ((LICENCE,), ())


def test_a_correction_leaves_the_licence_in_force_until_it_is_approved() -> None:
    in_force = replace(LSP, licences=(LICENCE,))
    proposed = propose(in_force, WIDER)
    assert proposed.licences == (LICENCE,)
    assert licence_proposals.approve(proposed, "p", SECOND).licences == (WIDER,)


def test_a_proposal_of_the_same_number_replaces_the_one_that_waits() -> None:
    """Who saw the first proposal cannot approve another content under its id."""
    changed = propose(propose(LSP, LICENCE, "p"), WIDER, "q")
    assert [each.id for each in changed.licence_proposals] == ["q"]
    with pytest.raises(LicenceProposalUnknown):
        licence_proposals.approve(changed, "p", SECOND)


def test_the_last_proposer_of_a_number_does_not_approve_it() -> None:
    """A second person who rewrites a proposal becomes its proposer."""
    rewritten = propose(propose(LSP, LICENCE, "p"), WIDER, "q", SECOND)
    with pytest.raises(SamePersonApproves):
        licence_proposals.approve(rewritten, "q", SECOND)
    assert licence_proposals.approve(rewritten, "q", OFFICER).licences == (WIDER,)


def test_an_approved_proposal_is_not_approved_twice() -> None:
    approved = licence_proposals.approve(propose(LSP, LICENCE), "p", SECOND)
    with pytest.raises(LicenceProposalUnknown):
        licence_proposals.approve(approved, "p", SECOND)


def test_a_withdrawn_proposal_is_gone() -> None:
    assert licence_proposals.withdraw(propose(LSP, LICENCE), "p") == LSP
    with pytest.raises(LicenceProposalUnknown):
        licence_proposals.withdraw(LSP, "p")


def test_a_licence_that_ends_before_it_begins_is_not_proposed() -> None:
    with pytest.raises(LicencePeriodInvalid):
        propose(LSP, replace(LICENCE, valid_until=date(2025, 12, 31)))
