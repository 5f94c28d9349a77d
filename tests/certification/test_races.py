"""A decision is made again when what it depends on changes before its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.caller import Caller
from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.certification.applications import usecases as applications
from services.certification.lsps.rules import Licence
from services.certification.panels import usecases as panels
from services.certification.panels.rules import Member, Sitting, Verdict
from services.certification.reasons import Reason, RulesBroken
from services.certification.transaction import Transaction
from tests.certification.factories import LspHarness, application_path
from tests.certification.harness import done, today

Change = Callable[[LspHarness, Transaction], Awaitable[object]]
YESTERDAY = today() - timedelta(days=1)


async def refuse_after(
    lsp: LspHarness, decide: Callable[[Transaction], Awaitable[Any]], change: Change
) -> list[Reason]:
    """Return the reasons of the refused decision.

    The change commits after the decision has read and before it commits.
    """
    has_read = asyncio.Event()
    has_changed = asyncio.Event()
    attempts: list[Transaction] = []

    async def decide_slowly(tx: Transaction) -> Any:
        attempts.append(tx)
        result = await decide(tx)
        has_read.set()
        await has_changed.wait()
        return result

    caller = Caller(subject="somebody", role="committee", claims={"lsp": frozenset({lsp.id})})
    context = OperationContext(caller=caller, correlation_id=new_id())
    deciding = asyncio.create_task(Runner(lsp.harness.engine, context)(decide_slowly))
    await has_read.wait()
    await lsp.harness.run_as_service(partial(change, lsp))
    has_changed.set()
    with pytest.raises(RulesBroken) as refused:
        await deciding
    assert len(attempts) == 2
    return list(refused.value.reasons)


async def end_licence(lsp: LspHarness, tx: Transaction) -> None:
    before = await tx.lsps.get(lsp.id)
    ended = Licence(
        number="BNSP-LSP-0001-ID",
        valid_from=YESTERDAY,
        valid_until=YESTERDAY,
        scheme_refs=frozenset({lsp.scheme_ref}),
    )
    tx.lsps.save(before, replace(before, licences=(ended,)))


async def end_met(lsp: LspHarness, tx: Transaction) -> None:
    before = await tx.assessors.get(lsp.assessor["assessor_id"])
    tx.assessors.save(before, replace(before, met_valid_until=YESTERDAY))


async def remove_verifications(lsp: LspHarness, tx: Transaction) -> None:
    before = await tx.venues.get(lsp.venue["venue_id"])
    tx.venues.save(before, replace(before, verifications=()))


async def remove_name(lsp: LspHarness, tx: Transaction) -> None:
    [before] = await tx.applications.find({"lsp_id": lsp.id})
    tx.applications.save(before, replace(before, name=None))


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (end_licence, Reason.LICENCE_EXPIRED),
        (end_met, Reason.MET_EXPIRED),
        (remove_verifications, Reason.VENUE_NOT_VERIFIED),
    ],
)
async def test_an_assignment_is_refused_when_its_facts_change_before_commit(
    lsp: LspHarness, change: Change, reason: Reason
) -> None:
    application_id = await lsp.fill_forms()
    application = await done(lsp.officer.get(application_path(application_id)))
    assign = partial(
        applications.assign,
        application_id,
        lsp.assessor["assessor_id"],
        lsp.venue["venue_id"],
        today(),
        application["version"],
    )
    assert await refuse_after(lsp, assign, change) == [reason]


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("change", "reason"),
    [(end_licence, Reason.LICENCE_EXPIRED), (remove_name, Reason.NAME_NOT_CONFIRMED)],
)
async def test_a_panel_decision_is_refused_when_its_facts_change_before_commit(
    lsp: LspHarness, change: Change, reason: Reason
) -> None:
    application_id = await lsp.recommend()
    pool = lsp.harness.client.app.state.slot_pool
    slots = await pool.take(lsp.harness.runner, lsp.id, 1)
    sitting = Sitting(
        lsp_id=lsp.id,
        minutes_no="BA-1",
        decided_on=today(),
        members=(Member(name="Ketua Pleno"),),
        verdicts=(Verdict(application_id=application_id, competent=True),),
    )
    decide = partial(panels.decide, sitting, slots)
    assert await refuse_after(lsp, decide, change) == [reason]
    assert await lsp.harness.stored("certificates", lsp_id=lsp.id) == []
