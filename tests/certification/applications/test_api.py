"""Forms, assignment and assessment of applications (certification section 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.certification.factories import FORM, UNITS, LspHarness, all_units, application_path
from tests.certification.harness import Harness, Json, change, done, refused, today

YESTERDAY = str(today() - timedelta(days=1))
TOMORROW = str(today() + timedelta(days=1))


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"met_valid_until": YESTERDAY}, "MET_EXPIRED"),
        ({"scheme_refs": ["lain"]}, "ASSESSOR_OUT_OF_SCOPE"),
        ({"instructor_refs": ["instructor-1"]}, "ASSESSOR_TRAINED_CANDIDATE"),
    ],
)
async def test_an_unfit_assessor_cannot_be_assigned(
    lsp: LspHarness, facts: Json, code: str
) -> None:
    """The MET expired, the scheme is out of scope, or the assessor trained the candidate."""
    application_id = await lsp.fill_forms()
    unfit = await lsp.record_assessor(**facts)
    assert await lsp.assign(application_id, assessor_id=unfit["assessor_id"]) == {code}
    assert await lsp.assign(application_id) == set()


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"is_verified": False}, "VENUE_NOT_VERIFIED"),
        ({"scheme_refs": ["lain"]}, "VENUE_OUT_OF_SCOPE"),
    ],
)
async def test_a_venue_not_verified_or_out_of_scope_cannot_be_assigned(
    lsp: LspHarness, facts: Json, code: str
) -> None:
    application_id = await lsp.fill_forms()
    unfit = await lsp.record_venue(**facts)
    assert await lsp.assign(application_id, venue_id=unfit["venue_id"]) == {code}
    assert await lsp.assign(application_id, held_on=TOMORROW) == {"VENUE_NOT_VERIFIED"}


@pytest.mark.scenario("C13/codes")
async def test_an_lsp_without_a_licence_for_day_or_scheme_cannot_assign(lsp: LspHarness) -> None:
    application_id = await lsp.fill_forms()
    await lsp.add_licence(valid_until=YESTERDAY)
    assert await lsp.assign(application_id) == {"LICENCE_EXPIRED"}
    await lsp.add_licence(scheme_refs=["lain"])
    assert await lsp.assign(application_id) == {"SCHEME_NOT_LICENSED"}


@pytest.mark.scenario("C13/codes")
async def test_an_application_without_both_complete_forms_is_not_assigned(lsp: LspHarness) -> None:
    application_id = (await lsp.open_application())["application_id"]
    path = application_path(application_id)
    assert await lsp.assign(application_id) == {"APPLICATION_INCOMPLETE"}
    await done(change(lsp.officer, "PUT", f"{path}/apl-01", json=FORM))
    incomplete = {"units": {UNITS[0]["code"]: True}, "signed_on": str(today())}
    await done(change(lsp.officer, "PUT", f"{path}/apl-02", json=incomplete))
    assert await lsp.assign(application_id) == {"APPLICATION_INCOMPLETE"}


async def test_a_self_assessment_of_a_unit_outside_the_scheme_is_refused(lsp: LspHarness) -> None:
    path = application_path((await lsp.open_application())["application_id"])
    foreign = {"units": {"X.1": True}, "signed_on": str(today())}
    request = change(lsp.officer, "PUT", f"{path}/apl-02", json=foreign)
    assert await refused(request) == {"units_differ"}


@pytest.mark.scenario("C13/codes")
async def test_several_violations_give_several_codes(lsp: LspHarness) -> None:
    application_id = await lsp.fill_forms()
    assessor = await lsp.record_assessor(met_valid_until=YESTERDAY, scheme_refs=["lain"])
    venue = await lsp.record_venue(is_verified=False)
    codes = await lsp.assign(
        application_id, assessor_id=assessor["assessor_id"], venue_id=venue["venue_id"]
    )
    assert codes == {"MET_EXPIRED", "ASSESSOR_OUT_OF_SCOPE", "VENUE_NOT_VERIFIED"}


@pytest.mark.scenario("C13/codes")
async def test_of_two_assignments_at_once_for_one_last_slot_one_is_refused(lsp: LspHarness) -> None:
    """The slot is the last one of an assessor; the assigned application may be assigned again."""
    await lsp.publish_scheme(asesi_per_assessor=1)
    first = await lsp.fill_forms()
    second = await lsp.fill_forms()
    codes = await asyncio.gather(lsp.assign(first), lsp.assign(second))
    assert sorted(map(sorted, codes)) == [[], ["RATIO_EXCEEDED"]]
    assigned = second if codes[0] else first
    assert await lsp.assign(assigned) == set()


@pytest.mark.scenario("C13/codes")
async def test_a_venue_takes_only_its_places_per_day(lsp: LspHarness) -> None:
    narrow = (await lsp.record_venue(places_per_day=1))["venue_id"]
    other_assessor = (await lsp.record_assessor())["assessor_id"]
    assert await lsp.assign(await lsp.fill_forms(), venue_id=narrow) == set()
    codes = await lsp.assign(await lsp.fill_forms(), venue_id=narrow, assessor_id=other_assessor)
    assert codes == {"SCHEDULE_CLASH"}


@pytest.mark.scenario("C13/codes")
async def test_an_assessor_is_at_one_venue_a_day(lsp: LspHarness) -> None:
    other_venue = (await lsp.record_venue())["venue_id"]
    assert await lsp.assign(await lsp.fill_forms(), venue_id=other_venue) == set()
    assert await lsp.assign(await lsp.fill_forms()) == {"SCHEDULE_CLASH"}


@pytest.mark.scenario("C13/codes")
async def test_a_clash_with_another_lsps_booking_does_not_reveal_where(
    harness: Harness, lsp: LspHarness
) -> None:
    other = await LspHarness.create(harness)
    same_person = await other.record_assessor(met_no=lsp.assessor["met_no"])
    booked = await other.fill_forms()
    assert await other.assign(booked, assessor_id=same_person["assessor_id"]) == set()
    path = f"{application_path(await lsp.fill_forms())}/assignment"
    answer = await change(lsp.officer, "PUT", path, json=lsp.assignment())
    assert answer.json()["reasons"] == [
        {"code": "SCHEDULE_CLASH", "message": "Asesor atau TUK tidak tersedia pada tanggal itu"}
    ]
    assert other.id not in answer.text
    assert other.venue["venue_id"] not in answer.text


@pytest.mark.scenario("C13/codes")
async def test_no_result_is_accepted_before_the_assessors_declaration(lsp: LspHarness) -> None:
    application_id = await lsp.fill_forms()
    path = f"{application_path(application_id)}/unit-results"
    assert await lsp.assign(application_id) == set()
    request = change(lsp.assessor_client(), "PUT", path, json=all_units("K"))
    assert await refused(request) == {"ASSESSOR_CONFLICT"}


@pytest.mark.scenario("C13/codes")
async def test_a_declared_conflict_ends_the_assignment(lsp: LspHarness) -> None:
    """The assessor cannot be assigned again; another one can."""
    application_id = await lsp.fill_forms()
    path = f"{application_path(application_id)}/declaration"
    assert await lsp.assign(application_id) == set()
    request = change(lsp.assessor_client(), "PUT", path, json={"conflict": True})
    released = await done(request)
    assert (released["state"], released["assessor_id"]) == ("open", None)
    assert await lsp.assign(application_id) == {"ASSESSOR_CONFLICT"}
    other_assessor = (await lsp.record_assessor())["assessor_id"]
    other_venue = (await lsp.record_venue())["venue_id"]
    codes = await lsp.assign(application_id, assessor_id=other_assessor, venue_id=other_venue)
    assert codes == set()


async def assess_first_unit(lsp: LspHarness) -> str:
    """Return the path of an application whose first unit is competent."""
    application_id = await lsp.fill_forms()
    path = application_path(application_id)
    assessor = lsp.assessor_client()
    assert await lsp.assign(application_id) == set()
    await done(change(assessor, "PUT", f"{path}/declaration", json={"conflict": False}))
    first = {"units": {UNITS[0]["code"]: "K"}}
    await done(change(assessor, "PUT", f"{path}/unit-results", json=first))
    return path


async def test_an_assessor_recommends_only_when_every_unit_has_a_result(lsp: LspHarness) -> None:
    path = await assess_first_unit(lsp)
    assessor = lsp.assessor_client()
    competent = {"competent": True}
    second = {"units": {UNITS[1]["code"]: "BK"}}
    request = change(assessor, "PUT", f"{path}/recommendation", json=competent)
    assert await refused(request) == {"results_missing"}
    await done(change(assessor, "PUT", f"{path}/unit-results", json=second))
    request = change(assessor, "PUT", f"{path}/recommendation", json=competent)
    assert await refused(request) == {"UNIT_NOT_COMPETENT"}
    foreign = {"units": {"X.1": "K"}}
    request = change(assessor, "PUT", f"{path}/unit-results", json=foreign)
    assert await refused(request) == {"units_differ"}


async def test_a_repeated_upload_of_results_changes_nothing(lsp: LspHarness) -> None:
    """It succeeds with the version from before the first upload too."""
    path = await assess_first_unit(lsp)
    assessor = lsp.assessor_client()
    before = await done(assessor.get(path))
    outdated = {"if-match": f'"{before["version"] - 1}"'}
    same = {"units": {UNITS[0]["code"]: "K"}}
    again = await done(assessor.request("PUT", f"{path}/unit-results", json=same, headers=outdated))
    assert again["version"] == before["version"]
    other = {"units": {UNITS[0]["code"]: "BK"}}
    request = assessor.request("PUT", f"{path}/unit-results", json=other, headers=outdated)
    assert await refused(request, 412) == {"version_differs"}


@pytest.mark.scenario("C13/frozen")
async def test_the_edition_of_the_scheme_is_frozen_at_assignment(lsp: LspHarness) -> None:
    early = await lsp.fill_forms()
    late = await lsp.fill_forms()
    assert await lsp.assign(early) == set()
    new_unit = {"code": "F.432111.003.02", "title": "Memeriksa instalasi"}
    await lsp.publish_scheme(units=[*UNITS, new_unit], asesi_per_assessor=50)
    shown = await done(lsp.assessor_client().get(application_path(early)))
    assert shown["edition_id"] == f"{lsp.scheme_ref}:1"
    codes = [unit["code"] for unit in shown["units"]]
    assert codes == [unit["code"] for unit in UNITS]
    assert await lsp.assign(late) == {"APPLICATION_INCOMPLETE"}
