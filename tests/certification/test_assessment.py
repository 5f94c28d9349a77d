"""The rules of assessment, each by its code, as an officer meets them (certification section 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id
from tests.certification.harness import UNITS, Json, Lsp, Stage, done, refused, today
from tests.fakes import not_four_eyes

PAST, FUTURE = str(today() - timedelta(days=1)), str(today() + timedelta(days=1))


async def assigned(lsp: Lsp, application_id: str, **changed: Any) -> set[str]:
    """The codes that stand against an assignment; none when it was made."""
    answer = await lsp.officer.request(
        "PUT",
        f"/v1/assessment-applications/{application_id}/assignment",
        json=lsp.assignment(**changed),
    )
    return (
        set()
        if answer.status_code == 200
        else {reason["code"] for reason in answer.json()["reasons"]}
    )


async def renewed(lsp: Lsp, **changed: Any) -> None:
    """Another licence under the same number."""
    await done(lsp.officer.post(f"/v1/lsps/{lsp.id}/licences", json=lsp.licence(**changed)), 201)


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"met_valid_until": PAST}, "MET_EXPIRED"),
        ({"scheme_refs": ["lain"]}, "ASSESSOR_OUT_OF_SCOPE"),
        ({"instructor_refs": ["instructor-1"]}, "ASSESSOR_TRAINED_CANDIDATE"),
    ],
)
async def test_an_assessor_without_a_valid_met_out_of_scope_or_who_trained_the_candidate_is_refused(
    lsp: Lsp, facts: Json, code: str
) -> None:
    application = await lsp.filled()
    assert await assigned(
        lsp, application, assessor_id=(await lsp.new_assessor(**facts))["assessor_id"]
    ) == {code}
    assert await assigned(lsp, application) == set()


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"verified": False}, "VENUE_NOT_VERIFIED"),
        ({"scheme_refs": ["lain"]}, "VENUE_OUT_OF_SCOPE"),
    ],
)
async def test_a_venue_that_is_not_verified_for_the_day_or_out_of_scope_is_refused(
    lsp: Lsp, facts: Json, code: str
) -> None:
    application = await lsp.filled()
    assert await assigned(
        lsp, application, venue_id=(await lsp.new_venue(**facts))["venue_id"]
    ) == {code}
    assert await assigned(lsp, application, held_on=FUTURE) == {"VENUE_NOT_VERIFIED"}


@pytest.mark.scenario("C13/codes")
async def test_only_a_standing_venue_is_verified_for_more_than_one_day(lsp: Lsp) -> None:
    days = {"valid_from": str(today()), "valid_until": FUTURE, "scheme_refs": [lsp.scheme_ref]}
    standing = await lsp.new_venue(kind="standing", verified=False)
    assert await refused(
        lsp.officer.post(f"/v1/venues/{lsp.venue['venue_id']}/verifications", json=days)
    ) == {"verification_period_invalid"}
    await done(lsp.officer.post(f"/v1/venues/{standing['venue_id']}/verifications", json=days), 201)
    assert (
        await assigned(lsp, await lsp.filled(), venue_id=standing["venue_id"], held_on=FUTURE)
        == set()
    )


@pytest.mark.scenario("C13/codes")
async def test_an_lsp_without_a_licence_for_the_day_or_the_scheme_is_refused(lsp: Lsp) -> None:
    application = await lsp.filled()
    await renewed(lsp, valid_until=PAST)
    assert await assigned(lsp, application) == {"LICENCE_EXPIRED"}
    await renewed(lsp, scheme_refs=["lain"])
    assert await assigned(lsp, application) == {"SCHEME_NOT_LICENSED"}


@pytest.mark.scenario("C13/codes")
async def test_an_application_without_both_forms_is_refused(lsp: Lsp) -> None:
    application = (await lsp.opened())["application_id"]
    assert await assigned(lsp, application) == {"APPLICATION_INCOMPLETE"}
    path = f"/v1/assessment-applications/{application}"
    await done(
        lsp.officer.request(
            "PUT",
            f"{path}/apl-01",
            json={
                "evidence": [{"kind": "pelatihan", "description": "160 JP"}],
                "signed_on": str(today()),
            },
        )
    )
    await done(
        lsp.officer.request(
            "PUT",
            f"{path}/apl-02",
            json={"units": {UNITS[0]["code"]: True}, "signed_on": str(today())},
        )
    )
    assert await assigned(lsp, application) == {"APPLICATION_INCOMPLETE"}
    assert await refused(
        lsp.officer.request(
            "PUT", f"{path}/apl-02", json={"units": {"X.1": True}, "signed_on": str(today())}
        )
    ) == {"units_differ"}


@pytest.mark.scenario("C13/codes")
async def test_several_violations_give_several_codes(lsp: Lsp) -> None:
    application = await lsp.filled()
    assessor, venue = (
        await lsp.new_assessor(met_valid_until=PAST, scheme_refs=["lain"]),
        await lsp.new_venue(verified=False),
    )
    found = await assigned(
        lsp, application, assessor_id=assessor["assessor_id"], venue_id=venue["venue_id"]
    )
    assert found == {"MET_EXPIRED", "ASSESSOR_OUT_OF_SCOPE", "VENUE_NOT_VERIFIED"}


@pytest.mark.scenario("C13/codes")
async def test_of_two_assignments_at_once_for_the_last_place_of_an_assessor_one_is_refused(
    lsp: Lsp,
) -> None:
    await lsp.publish(asesi_per_assessor=1)
    first, second = await lsp.filled(), await lsp.filled()
    found = await asyncio.gather(assigned(lsp, first), assigned(lsp, second))
    assert sorted(map(sorted, found)) == [[], ["RATIO_EXCEEDED"]]
    assert await assigned(lsp, first if not found[0] else second) == set()


@pytest.mark.scenario("C13/codes")
async def test_an_assessor_is_at_one_place_a_day_and_a_venue_has_so_many_places(lsp: Lsp) -> None:
    narrow = await lsp.new_venue(places_per_day=1)
    assert await assigned(lsp, await lsp.filled(), venue_id=narrow["venue_id"]) == set()
    assert await assigned(lsp, await lsp.filled()) == {"SCHEDULE_CLASH"}
    other = (await lsp.new_assessor())["assessor_id"]
    assert await assigned(
        lsp, await lsp.filled(), venue_id=narrow["venue_id"], assessor_id=other
    ) == {"SCHEDULE_CLASH"}


@pytest.mark.scenario("C13/codes")
async def test_an_assessor_who_is_booked_by_another_lsp_is_not_available_and_it_is_not_told_where(
    stage: Stage, lsp: Lsp
) -> None:
    other = await Lsp.founded(stage)
    assert (
        await assigned(
            other,
            await other.filled(),
            assessor_id=(await other.new_assessor(met_no=lsp.assessor["met_no"]))["assessor_id"],
        )
        == set()
    )
    answer = await lsp.officer.request(
        "PUT", f"/v1/assessment-applications/{await lsp.filled()}/assignment", json=lsp.assignment()
    )
    assert answer.json()["reasons"] == [
        {"code": "SCHEDULE_CLASH", "message": "Asesor atau TUK tidak tersedia pada tanggal itu"}
    ]
    assert other.id not in answer.text
    assert other.venue["venue_id"] not in answer.text


@pytest.mark.scenario("C13/codes")
async def test_no_result_is_taken_before_the_assessor_has_declared_and_a_conflict_ends_the_assignment(
    lsp: Lsp,
) -> None:
    application = await lsp.filled()
    path, assessor = f"/v1/assessment-applications/{application}", lsp.assessing()
    assert await assigned(lsp, application) == set()
    results = {"units": {unit["code"]: "K" for unit in UNITS}}
    assert await refused(assessor.request("PUT", f"{path}/unit-results", json=results)) == {
        "ASSESSOR_CONFLICT"
    }
    freed = await done(assessor.request("PUT", f"{path}/declaration", json={"conflict": True}))
    assert (freed["state"], freed["assessor_id"]) == ("open", None)
    assert await assigned(lsp, application) == {"ASSESSOR_CONFLICT"}
    assert (
        await assigned(
            lsp,
            application,
            assessor_id=(await lsp.new_assessor())["assessor_id"],
            venue_id=(await lsp.new_venue())["venue_id"],
        )
        == set()
    )


@pytest.mark.scenario("C13/codes")
async def test_a_unit_that_is_not_competent_gives_no_recommendation_and_no_certificate(
    lsp: Lsp,
) -> None:
    application = await lsp.recommended(results="BK", competent=False)
    assert await refused(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(application))
    ) == {"UNIT_NOT_COMPETENT"}
    decided = await done(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(application, competent=False)),
        201,
    )
    assert decided["items"] == [
        {"application_id": application, "competent": False, "reasons": [], "certificate_id": None}
    ]
    assert (await done(lsp.officer.get(f"/v1/assessment-applications/{application}")))[
        "state"
    ] == "not_yet_competent"
    assert (
        await done(lsp.officer.get("/v1/certificates", params={"application_id": application}))
    )["items"] == []


async def test_an_assessor_recommends_only_when_every_unit_has_a_result_and_repeated_uploads_change_nothing(
    lsp: Lsp,
) -> None:
    application = await lsp.filled()
    path, assessor = f"/v1/assessment-applications/{application}", lsp.assessing()
    await assigned(lsp, application)
    await done(assessor.request("PUT", f"{path}/declaration", json={"conflict": False}))
    first = await done(
        assessor.request("PUT", f"{path}/unit-results", json={"units": {UNITS[0]["code"]: "K"}})
    )
    again = await done(
        assessor.request("PUT", f"{path}/unit-results", json={"units": {UNITS[0]["code"]: "K"}})
    )
    assert first["version"] == again["version"]
    assert await refused(
        assessor.request("PUT", f"{path}/recommendation", json={"competent": True})
    ) == {"results_missing"}
    await done(
        assessor.request("PUT", f"{path}/unit-results", json={"units": {UNITS[1]["code"]: "BK"}})
    )
    assert await refused(
        assessor.request("PUT", f"{path}/recommendation", json={"competent": True})
    ) == {"UNIT_NOT_COMPETENT"}
    assert await refused(
        assessor.request("PUT", f"{path}/unit-results", json={"units": {"X.1": "K"}})
    ) == {"units_differ"}


@pytest.mark.scenario("C13/frozen")
async def test_the_edition_of_the_scheme_is_frozen_at_assignment(lsp: Lsp) -> None:
    early, late = await lsp.filled(), await lsp.filled()
    assert await assigned(lsp, early) == set()
    await lsp.publish(
        units=[*UNITS, {"code": "F.432111.003.02", "title": "Memeriksa instalasi"}],
        asesi_per_assessor=50,
    )
    assert (await done(lsp.officer.get(f"/v1/assessment-applications/{early}")))[
        "edition_id"
    ] == f"{lsp.scheme_ref}:1"
    assert [
        unit["code"]
        for unit in (await done(lsp.assessing().get(f"/v1/assessment-applications/{early}")))[
            "units"
        ]
    ] == [unit["code"] for unit in UNITS]
    assert await assigned(lsp, late) == {"APPLICATION_INCOMPLETE"}


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize("by_name", [True, False])
async def test_the_assessor_of_an_assessment_does_not_sit_on_its_panel(
    lsp: Lsp,
    by_name: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    application = await lsp.recommended()
    involved = (
        {"name": "asesor  satu"}
        if by_name
        else {"name": "Siapa Saja", "assessor_id": lsp.assessor["assessor_id"]}
    )
    sitting = lsp.sitting(application, members=[{"name": "Ketua Pleno"}, involved])
    assert await refused(lsp.committee.post("/v1/panel-decisions", json=sitting)) == {
        "PANEL_NOT_INDEPENDENT"
    }


@pytest.mark.scenario("C13/codes")
async def test_who_recommended_does_not_enter_the_decision(lsp: Lsp) -> None:
    application = await lsp.recommended()
    [kept] = await lsp.stage.stored("applications", _id=application)
    assert kept["recommendation"]["by"] == f"user-{lsp.assessor['assessor_id']}"
    for hand in not_four_eyes(kept["recommendation"]["by"], kept["recommendation"]["on_behalf_of"]):
        assert await refused(
            lsp.committee.by(*hand).post("/v1/panel-decisions", json=lsp.sitting(application))
        ) == {"PANEL_NOT_INDEPENDENT"}, hand


async def test_a_name_is_confirmed_by_another_person_than_the_one_who_asked_for_it_and_as_it_is(
    lsp: Lsp,
) -> None:
    application = await lsp.filled()
    path = f"/v1/assessment-applications/{application}/name"
    assert await refused(
        lsp.committee.request("PUT", f"{path}/confirmation", json={"name": "Siti Aminah"}), 409
    ) == {"name_not_fetched"}
    assert (await done(lsp.officer.by("peminta", "ketua").request("PUT", path)))[
        "name"
    ] == "fetched"
    for hand in not_four_eyes("peminta", "ketua"):
        assert await refused(
            lsp.committee.by(*hand).request(
                "PUT", f"{path}/confirmation", json={"name": "Siti Aminah"}
            ),
            403,
        ) == {"name_own_confirmation"}, hand
    assert await refused(
        lsp.committee.request("PUT", f"{path}/confirmation", json={"name": "Siti Amina"})
    ) == {"name_differs"}
    assert (
        await done(
            lsp.committee.request("PUT", f"{path}/confirmation", json={"name": "Siti  Aminah"})
        )
    )["name"] == "confirmed"
    kept = (await lsp.stage.stored("applications", _id=application))[0]
    assert "Siti" not in str(kept)
    assert "Siti" not in str(await lsp.stage.stored("audit"))


@pytest.mark.scenario("T16/lookup-unknown")
async def test_a_name_that_training_does_not_know_is_noted_as_unknown_and_may_be_asked_for_again(
    lsp: Lsp,
) -> None:
    person = new_id()
    lsp.stage.training.names[person] = "Siti Aminah"
    application = await lsp.filled(person)
    path = f"/v1/assessment-applications/{application}/name"
    del lsp.stage.training.names[person]
    assert await refused(lsp.officer.request("PUT", path), 409) == {"person_unknown"}
    [row] = await lsp.stage.stored("audit", action="name.unknown", subject=person)
    assert row["application"] == application
    lsp.stage.training.names[person] = "Siti Aminah"
    assert (await done(lsp.officer.request("PUT", path)))["name"] == "fetched"
    assert len(await lsp.stage.stored("audit", action="name.unknown", subject=person)) == 1


async def test_a_name_that_cannot_be_signed_or_is_not_known_is_refused_before_anything_is_signed(
    lsp: Lsp,
) -> None:
    person = new_id()
    lsp.stage.training.names[person] = "undefined undefined"
    path = f"/v1/assessment-applications/{await lsp.filled(person)}/name"
    assert await refused(lsp.officer.request("PUT", path)) == {"name_unfit"}
    del lsp.stage.training.names[person]
    assert await refused(lsp.officer.request("PUT", path), 409) == {"person_unknown"}


@pytest.mark.scenario("C13/codes")
async def test_without_a_confirmed_name_a_recommendation_or_an_issuer_key_nothing_is_decided(
    lsp: Lsp,
) -> None:
    only_open = await lsp.filled()
    assert await refused(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(only_open))
    ) == {"NOT_RECOMMENDED_YET"}
    application = await lsp.recommended()
    await done(lsp.officer.request("PUT", f"/v1/assessment-applications/{application}/name"))
    assert await refused(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(application))
    ) == {"NAME_NOT_CONFIRMED"}
    assert await refused(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(application, decided_on=FUTURE))
    ) == {"decided_on_invalid"}
    assert await refused(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(application, application))
    ) == {"application_twice"}


@pytest.mark.scenario("C13/batch")
async def test_one_of_a_batch_whom_a_rule_is_against_is_reported_and_the_others_are_decided(
    lsp: Lsp,
) -> None:
    good, bad = await lsp.recommended(), await lsp.recommended(results="BK", competent=False)
    decided = await done(
        lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(good, bad, "unknown")), 201
    )
    assert {
        item["application_id"]: [reason["code"] for reason in item["reasons"]]
        for item in decided["items"]
    } == {
        good: [],
        bad: ["UNIT_NOT_COMPETENT"],
        "unknown": ["APPLICATION_UNKNOWN"],
    }
    await lsp.issued(decided["items"][0]["certificate_id"])
    assert await refused(lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(good))) == {
        "ALREADY_DECIDED"
    }


async def test_two_decisions_at_once_on_one_application_give_one_certificate(lsp: Lsp) -> None:
    application = await lsp.recommended()
    answers = await asyncio.gather(
        *(
            lsp.committee.post(
                "/v1/panel-decisions", json=lsp.sitting(application, minutes_no=f"BA-{number}")
            )
            for number in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert (
        len(
            (
                await done(
                    lsp.officer.get("/v1/certificates", params={"application_id": application})
                )
            )["items"]
        )
        == 1
    )


async def test_a_decision_sent_again_with_its_key_is_the_same_decision(lsp: Lsp) -> None:
    application = await lsp.recommended()
    first, again = [
        await done(
            lsp.committee.post(
                "/v1/panel-decisions",
                json=lsp.sitting(application),
                headers={"idempotency-key": "pleno-1"},
            ),
            201,
        )
        for _ in range(2)
    ]
    assert first == again
    assert (
        len(
            (
                await done(
                    lsp.officer.get("/v1/certificates", params={"application_id": application})
                )
            )["items"]
        )
        == 1
    )


@pytest.mark.parametrize(
    ("name", "slug", "code"),
    [
        ("LSP Pemasyarakatan", "lsp-baik", "word_denied"),
        ("LSP Baik", "lsp-bina-karya", "word_denied"),
        ("LSP Baik", "LSP Baik", "slug_invalid"),
    ],
)
async def test_an_issuer_whose_name_or_address_tells_where_its_holders_were_is_refused(
    stage: Stage, name: str, slug: str, code: str
) -> None:
    administrator = stage.client.as_("administrator", lsp="*")
    assert await refused(
        administrator.post("/v1/lsps", json={"slug": slug, "name": name, "kind": "P3"})
    ) == {code}


async def test_a_scheme_that_tells_where_it_was_taught_or_whose_units_have_odd_codes_is_refused(
    lsp: Lsp,
) -> None:
    terms = {
        "lsp_id": lsp.id,
        "scheme_ref": lsp.scheme_ref,
        "title": "Las",
        "packaging": "unit",
        "description": "x",
        "criteria": "x",
        "units": UNITS,
        "code_patterns": ["X.00XXX00.000.0"],
    }
    assert await refused(lsp.officer.post("/v1/schemes", json=terms)) == {"units_invalid"}
    assert await refused(
        lsp.officer.post(
            "/v1/schemes", json=terms | {"code_patterns": [], "description": "Diajarkan di Lapas"}
        )
    ) == {"word_denied"}
    assert await refused(
        lsp.officer.post(
            "/v1/schemes", json=terms | {"code_patterns": [], "units": [UNITS[0], UNITS[0]]}
        )
    ) == {"units_invalid"}
