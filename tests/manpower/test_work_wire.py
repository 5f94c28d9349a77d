"""Work on the wire: vacancies, applications and placements under races; consent withdrawn in the middle; what is told, and what never is."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from services.manpower.placements import usecases
from services.manpower.placements.rules import PlacementKind, PlacementTerms
from tests.fakes import eventually
from tests.manpower.harness import NAME, UNIT, Json, Region, done, made, refused

TERMS: Json = {
    "kind": "employee",
    "started_on": "2027-01-04",
    "wage_band": {"from_idr": 3_500_000, "to_idr": 4_000_000},
    "permit_number": "izin-contoh-9",
}
MARKERS = ("9902020101900001", "PERKARARAHASIA-001", NAME)


async def applicant(region: Region, vacancy: str, until: str = "SUBMITTED") -> tuple[str, str]:
    """Somebody with consents for the Dinas and the employer, and the application."""
    ref = await region.admitted()
    await region.consents(ref)
    await region.consents(ref, "employer_share", fields=("name", "skills"))
    return ref, await region.applies(ref, vacancy, until=until)


async def state_of(region: Region, application: str) -> str:
    return (await done(region.officer().get(f"/v1/job-applications/{application}")))["state"]


@pytest.mark.scenario("P1/path")
async def test_from_release_to_work_through_consent_application_and_placement(
    region: Region,
) -> None:
    ref, certificate = await region.admitted(), new_id()
    await region.tell_certified(ref, certificate)
    await region.known(ref, **{"skills.0": {"$exists": True}})
    await region.handled(
        await region.tell_released(ref, kind="conditional_release", on="2026-11-20")
    )
    await region.consents(ref, fields=("name", "skills", "availability"))
    await region.consents(ref, "employer_share", fields=("name", "skills"))
    dinas, employer = region.dinas(), region.employer()
    seen = await done(dinas.get(f"/v1/candidates/{ref}"))
    assert (
        seen["name"],
        seen["available_from"],
        [skill["scheme_title"] for skill in seen["skills"]],
    ) == (NAME, "2026-11", ["Menjahit"])
    vacancy = await region.vacancy(1, units=(UNIT,))
    application = await region.applies(ref, vacancy)
    for client, to in (
        (employer, "SELECTED_FOR_INTERVIEW"),
        (dinas, "INTERVIEW_BOOKED"),
        (employer, "OFFERED"),
        (dinas, "ACCEPTED"),
    ):
        await done(client.post(f"/v1/job-applications/{application}/steps", json={"to": to}))
    body = {
        "application_id": application,
        "kind": "employee",
        "started_on": "2026-12-01",
        "wage_band": {"from_idr": 3_500_000, "to_idr": 4_000_000},
    }
    early = body | {"started_on": "2026-11-19"}
    await refused(dinas.post("/v1/placements", json=early), 422, "start_refused")
    placement = await made(dinas.post("/v1/placements", json=body))
    assert (placement["source"], placement["employer_id"], "confirmed_by" in placement) == (
        "application",
        region.employer_id,
        False,
    )
    assert await state_of(region, application) == "PLACED"
    assert (await done(employer.get(f"/v1/vacancies/{vacancy}")))["slots_left"] == 0
    [event] = await eventually(
        lambda: region.db.find("outbox", {"aggregate_id": placement["id"], "sent": True})
    )
    assert (event["type"], event["key"]) == ("manpower.placement-confirmed.v1", ref)
    assert (
        event["body"]
        == f'{{"participant_ref":"{ref}","placement_id":"{placement["id"]}","kind":"employee","started_on":"2026-12-01"}}'
    )
    types = [item["type"] for item in (await region.feed(dinas))[0]]
    assert types[0] == "candidate.shared"
    assert types[-2:] == ["application.status_changed", "placement.confirmed"]


@pytest.mark.scenario("P18/slots", "MP-5/race")
async def test_of_five_parallel_acceptances_for_two_slots_two_are_placed_and_the_rest_are_closed_with_the_vacancy(
    region: Region,
) -> None:
    vacancy = await region.vacancy(2)
    applications = [(await applicant(region, vacancy, "ACCEPTED"))[1] for _ in range(5)]
    answers = await asyncio.gather(
        *(
            region.officer().post("/v1/placements", json=TERMS | {"application_id": application})
            for application in applications
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 3}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "application_step_refused"
    }
    assert Counter([await state_of(region, application) for application in applications]) == {
        "PLACED": 2,
        "VACANCY_CLOSED": 3,
    }
    stored = await done(region.officer().get(f"/v1/vacancies/{vacancy}"))
    assert (stored["state"], stored["headcount"], stored["slots_left"]) == ("closed", 2, 0)
    assert await region.db.count("placements", {"vacancy_id": vacancy}) == 2
    assert (await region.db.find_one("vacancy_slots", {"_id": vacancy}))["taken"] == 2


@pytest.mark.scenario("MP-5/race")
async def test_placements_in_two_processes_cannot_take_one_slot_twice(region: Region) -> None:
    """Two engines share no in-process lock: only the transaction stands between them."""
    vacancy = await region.vacancy(1)
    applications = [(await applicant(region, vacancy, "ACCEPTED"))[1] for _ in range(4)]
    terms = PlacementTerms(
        kind=PlacementKind.EMPLOYEE, started_on=utc_now().date(), permit_number="izin-contoh-9"
    )
    here = region.engine
    runners = [
        Runner(TransactionManager(here.db, here.transaction, here.ports), region.runner().cause)
        for _ in applications
    ]
    for runner in runners:
        runner.engine.after_commit = here.after_commit
    outcomes = await asyncio.gather(
        *(
            runner(partial(usecases.place_application, application, terms))
            for runner, application in zip(runners, applications, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert (await region.db.find_one("vacancy_slots", {"_id": vacancy}))["taken"] == 1
    assert Counter([await state_of(region, application) for application in applications]) == {
        "PLACED": 1,
        "VACANCY_CLOSED": 3,
    }


@pytest.mark.scenario("P18/illegal-step", "MP-7/applications")
async def test_a_step_that_the_table_does_not_have_is_refused_and_one_of_another_side_too(
    region: Region,
) -> None:
    _, application = await applicant(region, await region.vacancy())
    path = f"/v1/job-applications/{application}/steps"
    await refused(
        region.officer().post(path, json={"to": "OFFERED"}), 409, "application_step_refused"
    )
    await refused(
        region.officer().post(path, json={"to": "PLACED"}), 409, "application_step_refused"
    )
    await refused(region.officer().post(path, json={"to": "VACANCY_CLOSED"}), 403, "not_your_step")
    await refused(region.employer().post(path, json={"to": "WITHDRAWN"}), 403, "not_your_step")
    await refused(
        region.employer().post(path, json={"to": "UNSUCCESSFUL", "reason": "mantan napi"}),
        422,
        "reason_missing",
    )
    assert (
        await done(region.employer().post(path, json={"to": "UNSUCCESSFUL", "reason": "schedule"}))
    )["state"] == "UNSUCCESSFUL"
    history = [
        step["to"]
        for step in (await done(region.officer().get(f"/v1/job-applications/{application}")))[
            "history"
        ]
    ]
    assert history == ["DRAFT", "CONSENTED", "SUBMITTED", "UNSUCCESSFUL"]


@pytest.mark.scenario("P16")
async def test_a_consent_withdrawn_during_an_interview_stops_everything_at_once_and_a_new_one_is_a_new_record(
    region: Region,
) -> None:
    ref, application = await applicant(region, await region.vacancy(), "INTERVIEW_BOOKED")
    other = f"{region.employer_id}-b"
    await region.agency(other, "employer_partner")
    employer, employer_b, dinas = region.employer(), region.employer(other), region.dinas()
    assert (await done(employer.get(f"/v1/job-applications/{application}")))[
        "state"
    ] == "INTERVIEW_BOOKED"
    assert (await done(employer.get(f"/v1/candidates/{ref}"))).keys() == {
        "id",
        "version",
        "consent_expires_at",
        "name",
        "skills",
    }
    _, cursor = await region.feed(dinas)
    [consent] = [
        each
        for each in (await done(region.officer().get(f"/v1/consents?candidate_id={ref}")))["items"]
        if each["purpose"] == "employer_share"
    ]
    withdrawn = await done(region.officer().post(f"/v1/consents/{consent['id']}/withdraw"))
    assert withdrawn["ending"] == "withdrawn"
    assert (await employer.get(f"/v1/candidates/{ref}")).status_code == 404
    assert (await employer.get(f"/v1/job-applications/{application}")).status_code == 404
    assert (
        await employer.post(f"/v1/job-applications/{application}/steps", json={"to": "OFFERED"})
    ).status_code == 404
    assert await state_of(region, application) == "WITHDRAWN"
    await region.numbered()
    told = await region.db.find(
        "feed_entries", {"audiences": f"{region.employer_id}/employer_share"}
    )
    assert {("candidate.withdrawn", ref), ("application.withdrawn", application)} <= {
        (entry["type"], entry["subject_ref"]) for entry in told
    }
    seen_by_dinas, _ = await region.feed(dinas, cursor)
    assert [(item["type"], item["subject"]["ref"]) for item in seen_by_dinas] == [
        ("application.status_changed", application)
    ]
    await refused(
        region.officer().post(f"/v1/consents/{consent['id']}/withdraw"), 409, "consent_ended"
    )
    again = await region.consents(ref, "employer_share", fields=("name", "skills"))
    assert again["id"] != consent["id"]
    assert (await employer.get(f"/v1/candidates/{ref}")).status_code == 200
    for path in (f"/v1/candidates/{ref}", f"/v1/job-applications/{application}"):
        assert (await employer_b.get(path)).status_code == 404
    assert await region.db.count("feed_entries", {"audiences": f"{other}/employer_share"}) == 0


@pytest.mark.scenario("MP-1/rows")
async def test_of_a_person_who_consented_to_two_employers_each_sees_only_what_was_sent_to_itself(
    region: Region,
) -> None:
    other = f"{region.employer_id}-b"
    await region.agency(other, "employer_partner")
    ref = await region.admitted()
    applications: dict[str, str] = {}
    for employer in (region.employer_id, other):
        await region.consents(ref, "employer_share", recipient=employer, fields=("name",))
        applications[employer] = await region.applies(
            ref, await region.vacancy(employer=employer), until="ACCEPTED"
        )
    placement = (
        await made(
            region.officer().post(
                "/v1/placements", json=TERMS | {"application_id": applications[other]}
            )
        )
    )["id"]
    for employer, application in applications.items():
        client = region.employer(employer)
        assert [
            each["id"] for each in (await done(client.get("/v1/job-applications")))["items"]
        ] == [application]
        assert [
            (await client.get(f"/v1/job-applications/{each}")).status_code
            for each in applications.values()
        ] == [200 if each == application else 404 for each in applications.values()]
        own = [placement] if employer == other else []
        assert [each["id"] for each in (await done(client.get("/v1/placements")))["items"]] == own
        assert (await client.get(f"/v1/placements/{placement}")).status_code == (
            200 if own else 404
        )
    await region.numbered()
    foreign = await region.db.find(
        "feed_entries",
        {
            "subject_ref": {"$in": [applications[other], placement]},
            "audiences": f"{region.employer_id}/employer_share",
        },
    )
    assert foreign == []


@pytest.mark.scenario("MP-6/application")
async def test_an_application_cannot_be_sent_without_a_consent_for_this_very_employer(
    region: Region,
) -> None:
    ref, vacancy = await region.admitted(), await region.vacancy()
    await region.agency(f"{region.employer_id}-b", "employer_partner")
    await region.consents(
        ref, "employer_share", recipient=f"{region.employer_id}-b", fields=("name",)
    )
    application = (
        await made(
            region.officer().post(
                "/v1/job-applications", json={"candidate_id": ref, "vacancy_id": vacancy}
            )
        )
    )["id"]
    await refused(
        region.officer().post(
            f"/v1/job-applications/{application}/steps", json={"to": "CONSENTED"}
        ),
        422,
        "consent_missing",
    )
    await refused(
        region.officer().post(
            "/v1/job-applications", json={"candidate_id": ref, "vacancy_id": vacancy}
        ),
        409,
        "already_applied",
    )
    for stranger in (region.employer(), region.dinas()):
        assert (await stranger.get(f"/v1/job-applications/{application}")).status_code == 404


async def test_a_consent_withdrawn_while_the_application_is_sent_leaves_no_application_without_one(
    region: Region,
) -> None:
    for _ in range(4):
        ref, vacancy = await region.admitted(), await region.vacancy()
        consent = await region.consents(ref, "employer_share", fields=("name",))
        application = await region.applies(ref, vacancy, until="CONSENTED")
        officer = region.officer()
        sent, withdrawn = await asyncio.gather(
            officer.post(f"/v1/job-applications/{application}/steps", json={"to": "SUBMITTED"}),
            officer.post(f"/v1/consents/{consent['id']}/withdraw"),
        )
        assert withdrawn.status_code == 200
        assert sent.status_code in {200, 409, 422}
        assert await state_of(region, application) == "WITHDRAWN"


async def test_a_vacancy_closed_while_somebody_applies_leaves_no_live_application(
    region: Region,
) -> None:
    for _ in range(4):
        ref, vacancy = await region.admitted(), await region.vacancy()
        officer = region.officer()
        applied, closed = await asyncio.gather(
            officer.post("/v1/job-applications", json={"candidate_id": ref, "vacancy_id": vacancy}),
            region.dinas().post(f"/v1/vacancies/{vacancy}/close", json={"reason": "withdrawn"}),
        )
        assert closed.status_code == 200
        assert applied.status_code in {201, 409}
        assert await region.db.count("job_applications", {"vacancy_id": vacancy, "live": True}) == 0


async def test_two_parallel_consents_for_one_recipient_are_one(region: Region) -> None:
    ref = await region.admitted()
    form = region.consent_form(ref, "dinas_registration", None, ("skills",))
    answers = await asyncio.gather(
        *(region.officer().post("/v1/consents", json=form) for _ in range(4))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
    assert len((await region.known(ref))["visibility"]["shares"]) == 1


@pytest.mark.scenario("P17/closing")
async def test_a_vacancy_takes_applications_until_the_last_second_of_its_last_day_in_wib(
    region: Region,
) -> None:
    vacancy = await region.vacancy()
    last_day = (await done(region.officer().get(f"/v1/vacancies/{vacancy}")))["valid_until"]
    midnight = datetime.fromisoformat(f"{last_day}T17:00:00+00:00").astimezone(UTC)
    refs = [await region.admitted() for _ in range(2)]
    region.travel(midnight - timedelta(milliseconds=1))
    await made(
        region.officer().post(
            "/v1/job-applications", json={"candidate_id": refs[0], "vacancy_id": vacancy}
        )
    )
    region.travel(midnight)
    await refused(
        region.officer().post(
            "/v1/job-applications", json={"candidate_id": refs[1], "vacancy_id": vacancy}
        ),
        409,
        "vacancy_not_open",
    )


@pytest.mark.scenario("P17/certificate")
async def test_a_revoked_certificate_flags_the_open_applications_that_need_it(
    region: Region,
) -> None:
    ref, certificate = await region.admitted(), new_id()
    await region.tell_certified(ref, certificate)
    await region.known(ref, **{"skills.0": {"$exists": True}})
    await region.consents(ref, "employer_share", fields=("skills",))
    application = await region.applies(ref, await region.vacancy(units=(UNIT,)))
    officer = region.officer()
    for verb, flags in (
        ("suspended", ["skill_lost"]),
        ("reinstated", []),
        ("revoked", ["skill_lost"]),
    ):
        await region.handled(await region.tell_standing(ref, certificate, verb))
        assert (await done(officer.get(f"/v1/job-applications/{application}")))["flags"] == flags
    assert "flags" not in await done(region.employer().get(f"/v1/job-applications/{application}"))


async def test_an_employer_posts_amends_and_closes_only_its_own_vacancies(region: Region) -> None:
    vacancy = await region.vacancy(2)
    other = f"{region.employer_id}-b"
    await region.agency(other, "employer_partner")
    mine, theirs = region.employer(), region.employer(other)
    form = {
        "position": "Kasir",
        "headcount": 1,
        "regency_code": "19.02",
        "valid_until": "2099-01-01",
        "start_month": "2027-01",
        "wage_band": {"from_idr": 1, "to_idr": 2},
    }
    own = await made(theirs.post("/v1/vacancies", json=form))
    assert (own["employer_id"], own["source"]) == (other, "employer")
    await refused(
        theirs.post("/v1/vacancies", json=form | {"employer_id": region.employer_id}),
        422,
        "employer_refused",
    )
    assert [each["id"] for each in (await done(theirs.get("/v1/vacancies")))["items"]] == [
        own["id"]
    ]
    assert (await theirs.get(f"/v1/vacancies/{vacancy}")).status_code == 404
    assert (
        await theirs.patch(
            f"/v1/vacancies/{vacancy}", json={"headcount": 3}, headers={"if-match": '"1"'}
        )
    ).status_code == 404
    amended = await done(
        mine.patch(f"/v1/vacancies/{vacancy}", json={"headcount": 3}, headers={"if-match": '"1"'})
    )
    assert amended["version"] == 2
    assert (await done(mine.get(f"/v1/vacancies/{vacancy}")))["headcount"] == 3
    await refused(
        mine.patch(f"/v1/vacancies/{vacancy}", json={"headcount": 4}, headers={"if-match": '"1"'}),
        412,
        "version_differs",
    )
    await refused(
        mine.patch(f"/v1/vacancies/{vacancy}", json={"headcount": 4}), 428, "version_required"
    )
    assert (
        await done(mine.post(f"/v1/vacancies/{vacancy}/close", json={"reason": "filled_elsewhere"}))
    )["state"] == "closed"


async def test_an_employer_that_is_not_approved_offers_nothing(region: Region) -> None:
    id_ = f"baru-{region.tag}"
    form = {
        "id": id_,
        "kind": "employer_partner",
        "name": f"Baru {id_}",
        "nib": "7" + "0" * 12,
        "regency_codes": ["19.02"],
        "purpose": "kerja",
        "legal_basis": "surat contoh",
    }
    await made(region.administrator().post("/v1/agencies", json=form))
    body = {
        "employer_id": id_,
        "position": "Kasir",
        "headcount": 1,
        "regency_code": "19.02",
        "valid_until": "2099-01-01",
        "start_month": "2027-01",
        "wage_band": {"from_idr": 1, "to_idr": 2},
    }
    await refused(region.dinas().post("/v1/vacancies", json=body), 422, "agency_not_active")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/vacancies", {"valid_until": "9999-12-31"}, "valid_until"),
        ("/v1/vacancies", {"headcount": 1.5}, "headcount"),
        ("/v1/vacancies", {"headcount": "1"}, "headcount"),
        ("/v1/vacancies", {"wage_band": {"from_idr": 1.0, "to_idr": 2}}, "wage_band.from_idr"),
        ("/v1/vacancies", {"sex": "male"}, "sex"),
        ("/v1/vacancies", {"start_month": "2027-13"}, "start_month"),
        ("/v1/consents", {"given_at": "0001-01-01T00:00:00+14:00"}, "given_at"),
        ("/v1/consents", {"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ("/v1/consents", {"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ("/v1/consents", {"fields": ["nik"]}, "fields.0"),
        ("/v1/consents", {"text_version_hash": "x"}, "text_version_hash"),
    ],
)
async def test_a_malformed_field_is_named_and_nothing_is_kept(
    region: Region, path: str, body: Json, field: str
) -> None:
    ref = await region.admitted()
    forms: dict[str, Json] = {
        "/v1/consents": region.consent_form(ref, "dinas_registration", None, ("skills",)),
        "/v1/vacancies": {
            "employer_id": region.employer_id,
            "position": "Kasir",
            "headcount": 1,
            "regency_code": "19.02",
            "valid_until": "2099-01-01",
            "start_month": "2027-01",
            "wage_band": {"from_idr": 1, "to_idr": 2},
        },
    }
    problem = await refused(
        region.officer().post(path, json=forms[path] | body), 422, "body_invalid"
    )
    assert field in [error["field"] for error in problem["errors"]]
    assert (
        await region.db.count("vacancies", {"employer_id": region.employer_id})
        + await region.db.count("consents", {"candidate_id": ref})
        == 0
    )


async def test_work_found_alone_is_a_placement_without_a_vacancy(region: Region) -> None:
    ref = await region.admitted()
    body = {"candidate_id": ref, "kind": "self_employed", "started_on": "2027-01-04"}
    await refused(region.officer().post("/v1/placements", json=body), 422, "not_free_to_work")
    await region.handled(await region.tell_released(ref))
    placement = await made(region.officer().post("/v1/placements", json=body))
    assert (placement["source"], placement["vacancy_id"]) == ("own_effort", None)
    await refused(
        region.officer().post("/v1/placements", json=body | {"application_id": "x"}),
        422,
        "body_invalid",
    )


async def test_a_placement_asked_for_again_with_the_same_key_takes_one_slot(region: Region) -> None:
    vacancy = await region.vacancy(2)
    _, application = await applicant(region, vacancy, "ACCEPTED")
    asked = [
        region.officer().post(
            "/v1/placements",
            json=TERMS | {"application_id": application},
            headers={"idempotency-key": "placement-1"},
        )
        for _ in range(3)
    ]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await done(region.officer().get(f"/v1/vacancies/{vacancy}")))["slots_left"] == 1


async def test_a_split_of_proceeds_adds_to_the_workshops_month_once_and_the_kukm_office_reads_it(
    region: Region,
) -> None:
    await region.agency(f"kukm-{region.tag}", "dinas_kukm", facility_ids=[region.facility])
    at = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)
    workshop = f"w-{region.tag}"
    body: Json = {
        "order_id": new_id(),
        "workshop_id": workshop,
        "product_class": "mebel",
        "amounts_idr": {"premi": 50_000, "pnbp": 15_000, "modal": 35_001},
    }
    first = await region.tell(
        "marketplace.proceeds-split.v1", body["order_id"], body, facility=region.facility, at=at
    )
    await region.handled(first)
    second = body | {"order_id": new_id()}
    await region.tell(
        "marketplace.proceeds-split.v1", second["order_id"], second, facility=region.facility, at=at
    )
    await region.handled(
        await region.tell(
            "marketplace.proceeds-split.v1",
            second["order_id"],
            second | {"product_class": "roti"},
            facility=region.facility,
            at=at,
        )
    )
    await region.tell(
        "marketplace.proceeds-split.v1",
        body["order_id"],
        body,
        facility=region.facility,
        at=at,
        id_=first,
    )
    kukm = region.dinas("dinas_kukm", agency=f"kukm-{region.tag}")
    rows = (await done(kukm.get("/v1/production-statistics?month=2026-12")))["items"]
    mebel = next(row for row in rows if row["product_class"] == "mebel")
    assert (mebel["workshop_id"], mebel["orders"]) == (workshop, 2)
    assert mebel["amounts_idr"] == {"premi": 100_000, "pnbp": 30_000, "modal": 70_002}
    assert (
        await done(
            region.officer("workshop_officer").get("/v1/production-statistics?month=2026-12")
        )
    )["items"] == rows
    assert (
        await done(
            region.officer("workshop_officer", facility="LP-LAIN").get("/v1/production-statistics")
        )
    )["items"] == []
    assert (await kukm.get("/v1/production-statistics?month=2026-13")).status_code == 422


@pytest.mark.scenario("P20/scan")
async def test_no_name_nik_or_offence_is_kept_told_or_logged_anywhere(
    region: Region, capfd: pytest.CaptureFixture[str]
) -> None:
    ref, application = await applicant(region, await region.vacancy(), "ACCEPTED")
    extra = {"name": NAME, "nik": MARKERS[0], "offence": MARKERS[1]}
    body = {
        "participant_ref": ref,
        "facility_id": region.facility,
        "kind": "free",
        "effective_on": "2026-11-20",
        "as_of": utc_now().isoformat(),
    }
    await region.handled(await region.tell("training.participant-released.v1", ref, body | extra))
    assert (await done(region.dinas().get(f"/v1/candidates/{ref}")))["name"] == NAME
    await made(
        region.dinas().post(
            "/v1/placements",
            json={"application_id": application, "kind": "employee", "started_on": "2026-12-01"},
        )
    )
    wrong = await region.officer().post(
        "/v1/consents",
        json={"candidate_id": ref, "purpose": MARKERS[1], "name": NAME, "nik": MARKERS[0]},
    )
    assert wrong.status_code == 422
    poison = await region.tell(
        "training.release-planned.v1",
        new_id(),
        {"participant_ref": MARKERS[1], "expected_on": MARKERS[0], "kind": NAME},
    )
    await eventually(lambda: region.db.find_one("inbox", {"_id": poison, "state": "parked"}))
    await region.numbered()
    kept = {
        name: await region.db.find(name, {"_id": {"$ne": poison}})
        for name in await region.db.db.list_collection_names()
    }
    assert {"candidates", "outbox", "audit", "feed_entries", "inbox", "placements"} <= kept.keys()
    written = capfd.readouterr()
    assert "event_parked" in written.out
    places = {name: str(rows) for name, rows in kept.items()} | {
        "problem": wrong.text,
        "log": written.out + written.err,
    }
    found = [
        (place, marker) for place, text in places.items() for marker in MARKERS if marker in text
    ]
    assert found == []
