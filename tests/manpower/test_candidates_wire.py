"""Candidates on the wire: events in any order, duplicates, early facts, merges with replay."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from chassis.ids import new_id, utc_now
from tests.fakes import eventually
from tests.manpower.harness import UNIT, Region, done, iso, refused


async def skills_of(region: Region, ref: str) -> list[str]:
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    return [skill["standing"] for skill in body["skills"]]


async def test_an_admission_makes_a_candidate_that_only_officers_of_its_facility_see(
    region: Region,
) -> None:
    ref = await region.admitted(regency=None)
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert (body["facility_id"], body["custody"], body["horizon"], body["skills"]) == (
        region.facility,
        "inside",
        "unknown",
        [],
    )
    await refused(
        region.officer(facility="LP-LAIN").get(f"/v1/candidates/{ref}"), 404, "candidate_unknown"
    )
    assert (await done(region.officer(facility="LP-LAIN").get("/v1/candidates")))["items"] == []


async def test_the_day_of_release_is_dropped_at_the_door_and_only_its_month_is_kept(
    region: Region,
) -> None:
    ref = await region.admitted(regency=None)
    await region.tell(
        "training.release-planned.v1",
        ref,
        {
            "participant_ref": ref,
            "facility_id": region.facility,
            "expected_on": "2027-06-17",
            "kind": "free",
        },
    )
    stored = await region.known(ref, **{"plan.month": "2027-06"})
    assert "2027-06-17" not in str(stored)
    assert (await done(region.officer().get(f"/v1/candidates/{ref}")))[
        "available_from"
    ] == "2027-06"


async def test_facts_about_somebody_not_known_yet_wait_for_the_admission(region: Region) -> None:
    ref, certificate = new_id(), new_id()
    early = [
        await region.tell_certified(ref, certificate),
        await region.tell(
            "marketplace.work-logged.v1",
            ref,
            {
                "participant_ref": ref,
                "workshop_id": "w-1",
                "month": "2026-10",
                "unit_kind": "hour",
                "units_total": 12,
            },
        ),
    ]
    for event_id in early:
        await eventually(
            lambda event_id=event_id: region.db.find_one(
                "early", {"_id": event_id, "waits_for": ref}
            )
        )
    await region.tell_admitted(ref)
    await region.known(ref, **{"skills.0": {"$exists": True}, "work.0": {"$exists": True}})
    assert await region.db.count("early", {"waits_for": ref}) == 0
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert body["experience"] == [
        {"workshop_id": "w-1", "unit_kind": "hour", "units_total": 12, "months": 1}
    ]


async def test_an_event_told_twice_takes_effect_once(region: Region) -> None:
    ref = await region.admitted(regency=None)
    event_id = await region.tell_certified(ref, new_id())
    await region.handled(event_id)
    version = (await region.known(ref))["version"]
    await region.tell("certification.certificate-issued.v1", ref, {}, id_=event_id)
    await region.handled(await region.tell_certified(ref, new_id()))
    assert (await region.known(ref))["version"] == version + 1


@pytest.mark.scenario("P13/movements")
async def test_movements_in_any_order_leave_the_person_where_the_last_of_them_says(
    region: Region,
) -> None:
    start = utc_now() - timedelta(days=9)
    other = f"{region.facility}-2"
    facts = [
        ("training.participant-admitted.v1", {"facility_id": region.facility, "kind": "new"}, 0),
        (
            "training.participant-transferred.v1",
            {"from_facility_id": region.facility, "to_facility_id": other},
            1,
        ),
        ("training.participant-released.v1", {"facility_id": other, "kind": "free"}, 2),
        ("training.participant-admitted.v1", {"facility_id": other, "kind": "readmission"}, 3),
        (
            "training.participant-transferred.v1",
            {"from_facility_id": other, "to_facility_id": region.facility},
            4,
        ),
    ]
    rng = random.Random(7)  # noqa: S311 - a fixed shuffle, so that a failure comes again
    states: set[str] = set()
    for _ in range(4):
        ref = new_id()
        order = rng.sample(facts, len(facts))
        told = [
            await region.tell(
                type_,
                ref,
                {
                    "participant_ref": ref,
                    "effective_on": "2026-01-05",
                    "as_of": iso(start + timedelta(days=day)),
                }
                | body,
                at=start + timedelta(days=day),
                sequence=day + 1,
            )
            for type_, body, day in [*order, order[0]]
        ]
        await region.handled(told[-1])
        stored = await region.known(ref)
        states.add(
            str(
                (
                    stored["stay"]["custody"],
                    stored["stay"]["kind"],
                    stored["visibility"]["facility_id"],
                    stored["admitted_at"],
                )
            )
        )
    assert len(states) == 1
    assert "inside" in states.pop()


@pytest.mark.scenario("P17/certificate")
async def test_a_certificate_leaves_the_skills_with_one_event_and_comes_back_with_one(
    region: Region,
) -> None:
    ref, certificate = await region.admitted(), new_id()
    await region.consents(ref, fields=("skills",))
    await region.tell_certified(ref, certificate)
    dinas = region.dinas()

    async def units() -> list[str]:
        return [
            unit["code"]
            for skill in (await done(dinas.get(f"/v1/candidates/{ref}")))["skills"]
            for unit in skill["units"]
        ]

    await region.known(ref, **{"skills.0.certificate_id": certificate})
    assert await units() == [UNIT]
    for verb, held in (("suspended", []), ("reinstated", [UNIT]), ("revoked", [])):
        await region.handled(await region.tell_standing(ref, certificate, verb))
        assert await units() == held
    assert await skills_of(region, ref) == ["revoked"]


async def test_a_release_of_a_kind_nobody_knows_changes_nothing_and_asks_an_officer_to_look(
    region: Region,
) -> None:
    ref = await region.admitted(regency=None)
    await region.handled(await region.tell_released(ref, kind="amnesty_by_comet"))
    body = await done(region.officer().get("/v1/candidates?attention=true"))
    assert [(item["id"], item["custody"], item["attention"]) for item in body["items"]] == [
        (ref, "inside", ["release_kind_unknown"])
    ]
    version = body["items"][0]["version"]
    await done(
        region.officer().patch(
            f"/v1/candidates/{ref}",
            json={"attended": ["release_kind_unknown"]},
            headers={"if-match": f'"{version}"'},
        )
    )
    assert (await done(region.officer().get("/v1/candidates?attention=true")))["items"] == []


@pytest.mark.scenario("P13/merge")
@pytest.mark.parametrize("merged_first", [True, False])
async def test_a_merge_moves_consents_applications_and_skills_whatever_comes_first_and_replay_changes_nothing(
    region: Region, *, merged_first: bool
) -> None:
    old, new = await region.admitted(), new_id()
    consent = await region.consents(old, "employer_share", fields=("name",))
    application = await region.applies(old, await region.vacancy())
    certificate = new_id()
    if merged_first:
        await region.tell_merged(old, new)
        await region.known(new)
        last = await region.tell_certified(old, certificate)
    else:
        await region.handled(await region.tell_certified(old, certificate))
        await region.tell_admitted(new)
        await region.tell_merged(old, new)
        last = await region.tell_certified(new, new_id())
    await region.handled(last)
    stored = await region.known(new, **{"skills.certificate_id": certificate})
    assert await region.db.find_one("candidates", {"_id": old}) is None
    assert (await done(region.officer().get(f"/v1/candidates/{old}")))["id"] == new
    assert (await done(region.officer().get(f"/v1/consents/{consent['id']}")))[
        "candidate_id"
    ] == new
    moved = await done(region.officer().get(f"/v1/job-applications/{application}"))
    assert (moved["candidate_id"], moved["state"]) == (new, "SUBMITTED")
    await region.tell_merged(old, new)
    await region.handled(
        await region.tell(
            "marketplace.work-logged.v1",
            old,
            {
                "participant_ref": old,
                "workshop_id": "w",
                "month": "2026-10",
                "unit_kind": "hour",
                "units_total": 1,
            },
        )
    )
    again = await region.known(new)
    assert (again["version"], again["skills"]) == (stored["version"] + 1, stored["skills"])


async def test_a_merge_told_the_other_way_round_afterwards_changes_nothing(region: Region) -> None:
    one, other = await region.admitted(regency=None), await region.admitted(regency=None)
    await region.tell_merged(one, other)
    await eventually(lambda: region.db.find_one("aliases", {"_id": one, "into": other}))
    await region.tell_merged(other, one)
    await region.handled(await region.tell_certified(one, new_id()))
    await region.handled(await region.tell_released(other))
    assert [
        row["_id"] for row in await region.db.find("aliases", {"_id": {"$in": [one, other]}})
    ] == [one]
    assert [
        (await done(region.officer().get(f"/v1/candidates/{ref}")))["id"] for ref in (one, other)
    ] == [other, other]


async def test_an_early_fact_of_a_ref_that_is_merged_before_its_admission_takes_effect_on_the_survivor(
    region: Region,
) -> None:
    lost, survivor, certificate = new_id(), new_id(), new_id()
    event_id = await region.tell_certified(lost, certificate)
    await eventually(lambda: region.db.find_one("early", {"_id": event_id}))
    await region.tell_merged(lost, survivor)
    await region.tell_admitted(survivor)
    assert (await region.known(survivor, **{"skills.certificate_id": certificate}))[
        "_id"
    ] == survivor


@pytest.mark.scenario("P13/merge")
async def test_two_live_applications_to_one_vacancy_become_one_in_a_merge_and_the_older_stays(
    region: Region,
) -> None:
    one, other = await region.admitted(), await region.admitted()
    vacancy = await region.vacancy(2)
    for ref in (one, other):
        await region.consents(ref, "employer_share", fields=("name",))
    first, second = await region.applies(one, vacancy), await region.applies(other, vacancy)
    await region.tell_merged(one, other)
    await eventually(
        lambda: region.db.find_one("job_applications", {"_id": first, "candidate_id": other})
    )
    officer = region.officer()
    assert (await done(officer.get(f"/v1/job-applications/{first}")))["state"] == "SUBMITTED"
    withdrawn = await done(officer.get(f"/v1/job-applications/{second}"))
    assert (withdrawn["state"], withdrawn["history"][-1]["reason"]) == ("WITHDRAWN", "merged")
    live = [
        item
        for item in (await done(officer.get(f"/v1/consents?candidate_id={other}")))["items"]
        if item["ended_at"] is None
    ]
    assert len(live) == 1


async def test_after_death_all_consents_end_and_all_applications_are_withdrawn(
    region: Region,
) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, await region.vacancy())
    await region.handled(await region.tell_released(ref, kind="death"))
    assert (await done(region.officer().get(f"/v1/job-applications/{application}")))[
        "state"
    ] == "WITHDRAWN"
    endings = {
        item["ending"]
        for item in (await done(region.officer().get(f"/v1/consents?candidate_id={ref}")))["items"]
    }
    assert endings == {"person_gone"}
    await refused(region.dinas().get(f"/v1/candidates/{ref}"), 404, "candidate_unknown")


async def test_a_transfer_takes_consents_and_applications_to_the_new_facility(
    region: Region,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, await region.vacancy())
    there = f"{region.facility}-2"
    body = {
        "participant_ref": ref,
        "from_facility_id": region.facility,
        "to_facility_id": there,
        "effective_on": "2026-11-20",
        "as_of": iso(utc_now()),
    }
    await region.handled(await region.tell("training.participant-transferred.v1", ref, body))
    for path in (
        f"/v1/candidates/{ref}",
        f"/v1/consents/{consent['id']}",
        f"/v1/job-applications/{application}",
    ):
        assert (await region.officer().get(path)).status_code == 404
        assert (await region.officer(facility=there).get(path)).status_code == 200


async def test_a_consent_given_while_the_person_is_released_for_good_is_either_refused_or_ended(
    region: Region,
) -> None:
    for _ in range(5):
        ref = await region.admitted()
        form = region.consent_form(ref, "dinas_registration", None, ("skills",))
        answer, event_id = await asyncio.gather(
            region.officer().post("/v1/consents", json=form),
            region.tell_released(ref, kind="death"),
        )
        await region.handled(event_id)
        assert answer.status_code in {201, 422}
        assert await region.db.count("consents", {"candidate_id": ref, "live": True}) == 0
