"""A decision that rests on something somebody else changes at the same moment is made again on what it is then."""

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
from services.certification.lsps import usecases as lsps
from services.certification.lsps.rules import Licence
from services.certification.panels import usecases as panels
from services.certification.panels.rules import Member
from services.certification.reasons import Reason, RulesBroken
from services.certification.transaction import Transaction
from tests.certification.harness import Lsp, today

Change = Callable[[Lsp, Transaction], Awaitable[object]]
YESTERDAY = today() - timedelta(days=1)


async def overtaken(
    lsp: Lsp, decide: Callable[[Transaction], Awaitable[Any]], change: Change
) -> list[Reason]:
    """Why the decision was refused, when the change commits after the decision has read and before it commits."""
    read, changed, tries = asyncio.Event(), asyncio.Event(), 0

    async def slowly(tx: Transaction) -> Any:
        nonlocal tries
        tries += 1
        result = await decide(tx)
        read.set()
        await changed.wait()
        return result

    caller = Caller(subject="somebody", role="committee", claims={"lsp": frozenset({lsp.id})})
    deciding = asyncio.create_task(
        Runner(lsp.stage.engine, OperationContext(caller=caller, correlation_id=new_id()))(slowly)
    )
    await read.wait()
    await lsp.stage.as_service(partial(change, lsp))
    changed.set()
    with pytest.raises(RulesBroken) as refused:
        await deciding
    assert tries == 2
    return list(refused.value.reasons)


async def end_the_licence(lsp: Lsp, tx: Transaction) -> None:
    await lsps.license_lsp(
        lsp.id,
        Licence(
            number="BNSP-LSP-0001-ID",
            valid_from=YESTERDAY,
            valid_until=YESTERDAY,
            scheme_refs=frozenset({lsp.scheme_ref}),
        ),
        tx,
    )


async def end_the_met(lsp: Lsp, tx: Transaction) -> None:
    before = await tx.assessors.get(lsp.assessor["assessor_id"])
    tx.assessors.save(before, replace(before, met_valid_until=YESTERDAY))


async def take_back_the_venue(lsp: Lsp, tx: Transaction) -> None:
    before = await tx.venues.get(lsp.venue["venue_id"])
    tx.venues.save(before, replace(before, verifications=()))


async def take_back_the_name(lsp: Lsp, tx: Transaction) -> None:
    before = (await tx.applications.find({"lsp_id": lsp.id}))[0]
    tx.applications.save(before, replace(before, name=None))


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (end_the_licence, Reason.LICENCE_EXPIRED),
        (end_the_met, Reason.MET_EXPIRED),
        (take_back_the_venue, Reason.VENUE_NOT_VERIFIED),
    ],
)
async def test_an_assignment_that_is_overtaken_by_a_change_of_what_it_rests_on_is_refused(
    lsp: Lsp, change: Change, reason: Reason
) -> None:
    work = partial(
        applications.assign,
        await lsp.filled(),
        lsp.assessor["assessor_id"],
        lsp.venue["venue_id"],
        today(),
    )
    assert await overtaken(lsp, work, change) == [reason]


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("change", "reason"),
    [(end_the_licence, Reason.LICENCE_EXPIRED), (take_back_the_name, Reason.NAME_NOT_CONFIRMED)],
)
async def test_a_panels_decision_that_is_overtaken_by_a_change_of_what_it_rests_on_is_refused(
    lsp: Lsp, change: Change, reason: Reason
) -> None:
    application = await lsp.recommended()
    places = await lsp.stage.client.app.state.places.take(lsp.stage.runner, lsp.id, 1)
    members = (Member(name="Ketua Pleno"),)
    work = partial(panels.decide, lsp.id, "BA-1", today(), members, [(application, True)], places)
    assert await overtaken(lsp, work, change) == [reason]
    assert await lsp.stage.stored("certificates", lsp_id=lsp.id) == []
