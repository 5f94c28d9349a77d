"""Races of an enrolment with a change of each fact that it depends on.

The transaction that commits second sees the first one, so nobody keeps a seat that facts forbid.
"""

from __future__ import annotations

import asyncio

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import FacilityHarness


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_a_release_leaves_nobody_in_a_seat(
    service: AsgiClient,
) -> None:
    refs = [new_id() for _ in range(6)]
    facility = await factories.create_harness(service, refs)
    class_id = await factories.open_class(facility, seats=6)
    released = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.local_today():%d/%m/%Y}"}
    facility.move_to_today()
    await asyncio.gather(
        facility.list_again(**dict.fromkeys(refs, released)),
        *(factories.try_enrol(facility, class_id, ref) for ref in refs),
    )
    assert await factories.count_taken(facility, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_the_end_of_the_class_leaves_nobody_in_it(
    crowd: FacilityHarness,
) -> None:
    for _ in range(3):
        class_id = await factories.open_class(crowd)
        cancel = factories.change(
            crowd.officer, f"/v1/classes/{class_id}/cancellation", {"reason": "instruktur sakit"}
        )
        answers = await asyncio.gather(
            cancel, *(factories.try_enrol(crowd, class_id, ref) for ref in list(crowd.people)[:5])
        )
        assert answers[0].status_code == 200
        assert await factories.count_taken(crowd, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_a_later_hearing_rests_on_the_hearing_it_saw(
    crowd: FacilityHarness,
) -> None:
    programme_id = await factories.publish_programme(
        crowd.client, eligibility={"tpp_required": True, "application_required": False}
    )
    ref = list(crowd.people)[10]
    hearing = {
        "facility_id": crowd.facility_id,
        "hearing_on": str(factories.local_today()),
        "scope": "programme",
        "scope_ref": programme_id,
        "document_ref": "TPP-1",
    }
    good = await crowd.officer.post(
        "/v1/tpp-decisions",
        json=hearing
        | {"results": [{"participant_ref": crowd.refs[ref], "verdict": "RECOMMENDED"}]},
    )
    assert good.status_code == 201
    class_id = await factories.open_class(crowd, programme_id=programme_id)
    bad = hearing | {
        "document_ref": "TPP-2",
        "results": [
            {"participant_ref": crowd.refs[ref], "verdict": "NOT_RECOMMENDED", "reason": "perilaku"}
        ],
    }
    decided, seat = await asyncio.gather(
        crowd.officer.post("/v1/tpp-decisions", json=bad), factories.try_enrol(crowd, class_id, ref)
    )
    assert decided.status_code == 201
    if seat.status_code != 201:
        assert seat.json()["reasons"] == ["TPP_NOT_RECOMMENDED"]
    later = await factories.try_enrol(
        crowd, await factories.open_class(crowd, programme_id=programme_id), ref
    )
    assert (later.status_code, later.json()["reasons"]) == (422, ["TPP_NOT_RECOMMENDED"])


@pytest.mark.scenario("T23/first-codes")
async def test_enrolling_while_completing_the_programme_gives_one_of_both(
    crowd: FacilityHarness,
) -> None:
    programme_id = await factories.publish_programme(crowd.client)
    ref = list(crowd.people)[11]
    first = await factories.open_class(crowd, programme_id=programme_id)
    second = await factories.open_class(crowd, programme_id=programme_id)
    enrolment_id = await factories.enrol(crowd, first, ref)
    await factories.mark(
        crowd, await factories.plan_session(crowd, first), **{enrolment_id: "ATTENDED"}
    )
    done, seat = await asyncio.gather(
        factories.change(crowd.officer, f"/v1/enrolments/{enrolment_id}/completion", {}),
        factories.try_enrol(crowd, second, ref),
    )
    assert done.status_code == 200
    assert seat.status_code == 201 or seat.json()["reasons"] == ["ALREADY_COMPLETED"]
    third = await factories.try_enrol(
        crowd, await factories.open_class(crowd, programme_id=programme_id), ref
    )
    assert third.json()["reasons"] == ["ALREADY_COMPLETED"]
