"""Routes of vacancies: an employer's own, approval first, malformed fields."""

from __future__ import annotations

import pytest

from tests.manpower.harness import Json, RegionHarness, done, made, refused

VACANCY_FORM: Json = {
    "position": "Kasir",
    "headcount": 1,
    "regency_code": "19.02",
    "valid_until": "2099-01-01",
    "start_month": "2027-01",
    "wage_band": {"from_idr": 1, "to_idr": 2},
}


async def test_an_employer_posts_amends_and_closes_only_its_own_vacancies(
    region: RegionHarness,
) -> None:
    vacancy = await region.vacancy(2)
    path = f"/v1/vacancies/{vacancy}"
    other_employer = await region.add_other_employer()
    owner = region.employer()
    stranger = region.employer(other_employer)
    own = await made(stranger.post("/v1/vacancies", json=VACANCY_FORM))
    assert (own["employer_id"], own["source"]) == (other_employer, "employer")
    foreign = VACANCY_FORM | {"employer_id": region.employer_id}
    await refused(stranger.post("/v1/vacancies", json=foreign), 422, "employer_refused")
    listed = (await done(stranger.get("/v1/vacancies")))["items"]
    assert [item["id"] for item in listed] == [own["id"]]
    assert (await stranger.get(path)).status_code == 404
    amendment = {"headcount": 3}
    headers = {"if-match": '"1"'}
    assert (await stranger.patch(path, json=amendment, headers=headers)).status_code == 404
    amended = await done(owner.patch(path, json=amendment, headers=headers))
    assert amended["version"] == 2
    assert (await done(owner.get(path)))["headcount"] == 3
    close = region.change(owner, f"{path}/close", json={"reason": "filled_elsewhere"})
    assert (await done(close))["state"] == "closed"


async def test_a_change_of_a_vacancy_needs_if_match_with_its_version(region: RegionHarness) -> None:
    path = f"/v1/vacancies/{await region.vacancy()}"
    owner = region.employer()
    stale = {"if-match": '"9"'}
    amendment = {"headcount": 4}
    await refused(owner.patch(path, json=amendment), 428, "version_required")
    await refused(owner.patch(path, json=amendment, headers=stale), 412, "version_differs")
    reason = {"reason": "withdrawn"}
    await refused(owner.post(f"{path}/close", json=reason), 428, "version_required")
    close = owner.post(f"{path}/close", json=reason, headers=stale)
    await refused(close, 412, "version_differs")


async def test_an_employer_that_is_not_approved_offers_nothing(region: RegionHarness) -> None:
    employer_id = f"baru-{region.tag}"
    form = {
        "id": employer_id,
        "kind": "employer_partner",
        "name": f"Baru {employer_id}",
        "nib": "7" + "0" * 12,
        "regency_codes": ["19.02"],
        "purpose": "kerja",
        "legal_basis": "surat contoh",
    }
    await made(region.administrator().post("/v1/agencies", json=form))
    vacancy = VACANCY_FORM | {"employer_id": employer_id}
    await refused(region.dinas().post("/v1/vacancies", json=vacancy), 422, "agency_not_active")


@pytest.mark.parametrize(
    ("path", "change", "field"),
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
async def test_a_malformed_field_is_named_and_nothing_is_stored(
    region: RegionHarness, path: str, change: Json, field: str
) -> None:
    ref = await region.admitted()
    forms = {
        "/v1/consents": region.consent_form(ref),
        "/v1/vacancies": VACANCY_FORM | {"employer_id": region.employer_id},
    }
    request = region.officer().post(path, json=forms[path] | change)
    problem = await refused(request, 422, "body_invalid")
    assert field in [error["field"] for error in problem["errors"]]
    assert await region.db.count("vacancies", {"employer_id": region.employer_id}) == 0
    assert await region.db.count("consents", {"candidate_id": ref}) == 0


async def test_another_prison_reads_a_vacancy_and_changes_nothing_of_it(
    region: RegionHarness,
) -> None:
    """Its employer and the office of its regency change it as well."""
    form = VACANCY_FORM | {"employer_id": region.employer_id}
    posted = await made(region.officer().post("/v1/vacancies", json=form))
    path = f"/v1/vacancies/{posted['id']}"
    stranger = region.officer(facility="LP-EVIL")
    assert (await done(stranger.get(path)))["owner"] == region.facility
    close = region.change(stranger, f"{path}/close", json={"reason": "withdrawn"})
    await refused(close, 404, "vacancy_unknown")
    headers = await region.if_match(path)
    amend = stranger.patch(path, json={"start_month": "2027-03"}, headers=headers)
    await refused(amend, 404, "vacancy_unknown")
    await done(region.employer().patch(path, json={"start_month": "2027-03"}, headers=headers))
    await done(region.change(region.officer(), f"{path}/close", json={"reason": "withdrawn"}))
