"""Seats under contention, and the races of an enrolment against each fact it rests on."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.factories import Place


@pytest.fixture(scope="module")
async def crowd(service: AsgiClient) -> Place:
    """A facility with sixty people; every test has classes of its own."""
    return await factories.place(service, [new_id() for _ in range(60)])


async def taken(place: Place, class_id: str) -> tuple[int, int]:
    """How many seats are taken, and how many enrolments live."""
    seats = await factories.database(place.client).find_one("class_seats", {"_id": class_id})
    assert seats
    return seats["taken"], await factories.database(place.client).count(
        "enrolments", {"class_id": class_id, "live": True}
    )


async def enrol(place: Place, class_id: str, source_ref: str) -> Any:
    return await place.officer.post(
        "/v1/enrolments", json={"class_id": class_id, "participant_ref": place.refs[source_ref]}
    )


@pytest.mark.scenario("T20")
@pytest.mark.timeout(180)
async def test_fifty_at_once_for_seven_seats_give_exactly_seven(crowd: Place) -> None:
    class_id = await factories.open_class(crowd, seats=7)
    over: list[int] = []

    async def watch() -> None:
        while True:
            over.append((await taken(crowd, class_id))[0])

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(
        *(enrol(crowd, class_id, ref) for ref in list(crowd.people)[:50])
    )
    watching.cancel()
    assert Counter(answer.json().get("code", "enrolled") for answer in answers) == {
        "enrolled": 7,
        "class_full": 43,
    }
    assert await taken(crowd, class_id) == (7, 7)
    assert max(over) <= 7


@pytest.mark.scenario("T20")
async def test_one_person_twice_at_once_gets_one_seat(crowd: Place) -> None:
    class_id = await factories.open_class(crowd)
    ref = next(iter(crowd.people))
    answers = await asyncio.gather(*(enrol(crowd, class_id, ref) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert await taken(crowd, class_id) == (1, 1)


@pytest.mark.scenario("T20")
async def test_five_into_three_seats_are_none_and_three_are_three(crowd: Place) -> None:
    class_id = await factories.open_class(crowd, seats=3)
    refs = [crowd.refs[ref] for ref in list(crowd.people)[:5]]
    many = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": refs}
    )
    assert (many.json()["code"], await taken(crowd, class_id)) == ("class_full", (0, 0))
    three = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": refs[:3]}
    )
    assert (three.json()["seats_taken"], await taken(crowd, class_id)) == (3, (3, 3))
    twice = await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments", json={"participant_refs": [refs[4], refs[4]]}
    )
    assert twice.status_code in {409, 422}


@pytest.mark.scenario("T20")
async def test_ending_and_enrolling_for_the_last_seat_never_takes_one_too_many(
    crowd: Place,
) -> None:
    class_id = await factories.open_class(crowd, seats=1)
    refs = list(crowd.people)
    enrolment_id = await factories.enrolled(crowd, class_id, refs[0])
    end = crowd.officer.post(f"/v1/enrolments/{enrolment_id}/end", json={"reason": "HEALTH"})
    answers = await asyncio.gather(end, *(enrol(crowd, class_id, ref) for ref in refs[1:6]))
    assert answers[0].status_code == 200
    seats, live = await taken(crowd, class_id)
    assert seats == live <= 1
    again = await crowd.officer.post(
        f"/v1/enrolments/{enrolment_id}/end", json={"reason": "HEALTH"}
    )
    assert (again.json()["code"], await taken(crowd, class_id)) == ("already_ended", (seats, live))


@pytest.mark.scenario("T21/resize")
async def test_a_quota_is_never_set_below_the_seats_taken(crowd: Place) -> None:
    class_id = await factories.open_class(crowd, seats=5)
    await crowd.officer.post(
        f"/v1/classes/{class_id}/enrolments",
        json={"participant_refs": [crowd.refs[ref] for ref in list(crowd.people)[:4]]},
    )
    version = {
        "if-match": str(
            (await crowd.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["version"]
        )
    }
    less = await crowd.officer.patch(
        f"/v1/classes/{class_id}/seats", json={"seats_total": 3}, headers=version
    )
    more = await crowd.officer.patch(
        f"/v1/classes/{class_id}/seats", json={"seats_total": 9}, headers=version
    )
    assert (less.json()["code"], less.json()["seats_taken"], more.json()["seats_total"]) == (
        "seats_below_taken",
        4,
        9,
    )
    assert (await taken(crowd, class_id))[0] == 4


# Races against each fact the enrolment rests on: whoever commits second sees the first, so nobody is left in a seat that the facts forbid.


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_a_release_never_leaves_a_released_person_in_a_seat(
    service: AsgiClient,
) -> None:
    refs = [new_id() for _ in range(6)]
    place = await factories.place(service, refs)
    class_id = await factories.open_class(place, seats=6)
    released = {"Ket. Keluar": "BM", "Tanggal Keluar": f"{factories.today():%d/%m/%Y}"}
    await asyncio.gather(
        place.list_again(**dict.fromkeys(refs, released)),
        *(enrol(place, class_id, ref) for ref in refs),
    )
    assert await taken(place, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_the_end_of_the_class_leaves_nobody_in_it(crowd: Place) -> None:
    for _ in range(3):
        class_id = await factories.open_class(crowd)
        cancel = crowd.officer.post(
            f"/v1/classes/{class_id}/cancellation", json={"reason": "instruktur sakit"}
        )
        answers = await asyncio.gather(
            cancel, *(enrol(crowd, class_id, ref) for ref in list(crowd.people)[:5])
        )
        assert answers[0].status_code == 200
        assert await taken(crowd, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_an_enrolment_racing_a_later_hearing_rests_on_the_hearing_it_saw(
    crowd: Place,
) -> None:
    programme_id = await factories.programme(
        crowd.client, eligibility={"tpp_required": True, "application_required": False}
    )
    ref = list(crowd.people)[10]
    hearing = {
        "facility_id": crowd.facility_id,
        "hearing_on": str(factories.today()),
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
        crowd.officer.post("/v1/tpp-decisions", json=bad), enrol(crowd, class_id, ref)
    )
    assert decided.status_code == 201
    if seat.status_code != 201:
        assert seat.json()["reasons"] == ["TPP_NOT_RECOMMENDED"]
    later = await enrol(crowd, await factories.open_class(crowd, programme_id=programme_id), ref)
    assert (later.status_code, later.json()["reasons"]) == (422, ["TPP_NOT_RECOMMENDED"])


@pytest.mark.scenario("T23/first-codes")
async def test_enrolling_again_in_a_programme_while_completing_it_gives_one_of_the_two(
    crowd: Place,
) -> None:
    programme_id = await factories.programme(crowd.client)
    ref = list(crowd.people)[11]
    first, second = (
        await factories.open_class(crowd, programme_id=programme_id),
        await factories.open_class(crowd, programme_id=programme_id),
    )
    enrolment_id = await factories.enrolled(crowd, first, ref)
    await factories.marked(
        crowd, await factories.session(crowd, first), **{enrolment_id: "ATTENDED"}
    )
    done, seat = await asyncio.gather(
        crowd.officer.post(f"/v1/enrolments/{enrolment_id}/completion", json={}),
        enrol(crowd, second, ref),
    )
    assert done.status_code == 200
    assert seat.status_code == 201 or seat.json()["reasons"] == ["ALREADY_COMPLETED"]
    third = await enrol(crowd, await factories.open_class(crowd, programme_id=programme_id), ref)
    assert third.json()["reasons"] == ["ALREADY_COMPLETED"]


@pytest.mark.scenario("T23/first-codes")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"Keberadaan": "Sidang"}, "NOT_PRESENT"),
        ({"Ekspirasi": f"{factories.today():%d/%m/%Y}", "2/3": ""}, "RELEASE_BEFORE_CLASS_END"),
        ({"Ekspirasi": "", "2/3": ""}, "FACT_UNKNOWN"),
    ],
)
async def test_each_reason_is_the_same_in_the_report_and_at_the_enrolment(
    service: AsgiClient, said: dict[str, str], code: str
) -> None:
    p = new_id()
    place = await factories.place(service, {p: said})
    class_id = await factories.open_class(place)
    report = (await place.officer.get(f"/v1/classes/{class_id}/suitability/{place.refs[p]}")).json()
    assert [(reason["code"], reason["severity"]) for reason in report["reasons"]] == [
        (code, "BLOCK")
    ]
    assert report["reasons"][0]["message"]
    refused = await enrol(place, class_id, p)
    assert (refused.status_code, refused.json()["code"], refused.json()["reasons"]) == (
        422,
        "not_suitable",
        [code],
    )
    assert await taken(place, class_id) == (0, 0)


@pytest.mark.scenario("T23/first-codes")
async def test_a_warning_needs_a_text_which_is_kept_and_a_report_gone_stale_is_judged_anew(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, {p: {"Ekspirasi": "", "2/3": ""}})
    rule = {
        "tpp_required": False,
        "application_required": False,
        "severities": {"RELEASE_BEFORE_CLASS_END": "WARN"},
    }
    class_id = await factories.open_class(
        place, programme_id=await factories.programme(service, eligibility=rule)
    )
    refused = await enrol(place, class_id, p)
    assert (
        refused.status_code,
        refused.json()["code"],
        refused.json()["field"],
        refused.json()["reasons"],
    ) == (422, "override_needed", "override", ["FACT_UNKNOWN"])
    body = {
        "class_id": class_id,
        "participant_ref": place.refs[p],
        "override": "sudah vonis 5 tahun, ekspirasi menyusul",
    }
    seat = await place.officer.post("/v1/enrolments", json=body)
    assert (seat.status_code, seat.json()["override"]) == (201, body["override"])
    strict = await factories.open_class(place)
    await place.list_again(**{p: {"Ekspirasi": "01/01/2040"}})
    assert (await place.officer.get(f"/v1/classes/{strict}/suitability/{place.refs[p]}")).json()[
        "reasons"
    ] == []
    await place.list_again(**{p: {"Ekspirasi": f"{factories.today():%d/%m/%Y}"}})
    moved_up = await enrol(place, strict, p)
    assert moved_up.json()["reasons"] == ["RELEASE_BEFORE_CLASS_END"]


async def test_a_person_or_class_of_another_facility_is_not_found(crowd: Place) -> None:
    other = await factories.place(crowd.client, [new_id()])
    class_id = await factories.open_class(other)
    ref = next(iter(crowd.people))
    assert (await enrol(crowd, class_id, ref)).json()["code"] == "class_unknown"
    own = await crowd.officer.post(
        "/v1/enrolments",
        json={
            "class_id": await factories.open_class(crowd),
            "participant_ref": next(iter(other.refs.values())),
        },
    )
    assert (own.status_code, own.json()["code"]) == (404, "participant_unknown")
    nobody = crowd.client.as_("training_officer")
    assert (await nobody.get("/v1/classes")).json()["items"] == []
    assert (await nobody.get(f"/v1/classes/{class_id}")).status_code == 404
