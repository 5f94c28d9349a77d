"""Routes of agencies: registration by officers and by outside offices, the routing table."""

from __future__ import annotations

import pytest

from tests.fakes import not_four_eyes
from tests.manpower.harness import Json, RegionHarness, done, made, refused

EMPLOYER_FORM: Json = {
    "kind": "employer_partner",
    "regency_codes": ["19.02"],
    "purpose": "kerja",
    "legal_basis": "surat contoh",
}


@pytest.mark.scenario("P2/four-eyes")
async def test_who_registers_an_agency_or_requests_a_consumer_cannot_approve_it(
    region: RegionHarness,
) -> None:
    agency_id = f"bpvp-{region.tag}"
    form = {
        "id": agency_id,
        "kind": "bpvp_blk",
        "name": f"BPVP {agency_id}",
        "regency_codes": ["19.02"],
        "purpose": "pelatihan",
        "legal_basis": "surat contoh",
    }
    requester = region.administrator().by("administrator-1", "official-1")
    approver = region.administrator("administrator-2")
    await made(requester.post("/v1/agencies", json=form))
    approve_agency = f"/v1/agencies/{agency_id}/approve"
    for actor in not_four_eyes("administrator-1", "official-1"):
        attempt = region.change(requester.by(*actor), approve_agency)
        await refused(attempt, 403, "same_eyes")
    await done(region.change(approver, approve_agency))
    consumer_form = region.consumer_form(agency_id, "dinas_training")
    consumer = await made(requester.post("/v1/consumers", json=consumer_form))
    approve_consumer = f"/v1/consumers/{consumer['id']}/approve"
    for actor in not_four_eyes("administrator-1", "official-1"):
        attempt = region.change(requester.by(*actor), approve_consumer)
        await refused(attempt, 403, "same_eyes")
    approved = await done(region.change(approver, approve_consumer))
    assert approved["status"] == "active"


@pytest.mark.scenario("P2/four-eyes")
async def test_a_consumer_whose_role_does_not_fit_its_agency_is_refused(
    region: RegionHarness,
) -> None:
    form = region.consumer_form(region.dinas_id, "employer")
    await refused(region.administrator().post("/v1/consumers", json=form), 422, "grant_refused")


async def test_an_outside_office_registers_only_employers_of_its_regency(
    region: RegionHarness,
) -> None:
    """Another person of the office approves them."""
    first = region.dinas(subject="dinas-1")
    second = region.dinas(subject="dinas-2")
    employer_id = f"toko-{region.tag}"
    nib = "9" + region.tag.translate(str.maketrans("abcdef", "123456"))
    form = EMPLOYER_FORM | {"id": employer_id, "name": f"Toko {region.tag}", "nib": nib}
    await made(first.post("/v1/agencies", json=form))
    approve = f"/v1/agencies/{employer_id}/approve"
    await refused(region.change(first, approve), 403, "same_eyes")
    await done(region.change(second, approve))
    office = form | {
        "id": f"x-{employer_id}",
        "name": f"Kantor {region.tag}",
        "kind": "dinas_tk",
        "nib": None,
    }
    await refused(first.post("/v1/agencies", json=office), 403, "not_your_agency")
    elsewhere = form | {
        "id": f"y-{employer_id}",
        "name": f"Jauh {region.tag}",
        "nib": "1234567890123",
        "regency_codes": ["19.06"],
    }
    await refused(first.post("/v1/agencies", json=elsewhere), 403, "not_your_agency")
    suspend = f"/v1/agencies/{region.dinas_id}/suspend"
    attempt = region.change(first, suspend, json={"reason": "coba"})
    await refused(attempt, 403, "not_your_agency")


@pytest.mark.scenario("P18/employer-name")
async def test_an_employer_whose_name_differs_in_case_and_spaces_only_is_refused(
    region: RegionHarness,
) -> None:
    twin = EMPLOYER_FORM | {
        "id": f"kembar-{region.tag}",
        "name": f"  CONTOH   {region.employer_id} ",
        "nib": "0000000000000",
    }
    await refused(region.administrator().post("/v1/agencies", json=twin), 409, "agency_name_taken")


async def test_a_change_of_an_agency_needs_if_match_with_its_version(region: RegionHarness) -> None:
    path = f"/v1/agencies/{region.dinas_id}/suspend"
    administrator = region.administrator()
    body = {"reason": "coba"}
    await refused(administrator.post(path, json=body), 428, "version_required")
    stale = administrator.post(path, json=body, headers={"if-match": '"1"'})
    await refused(stale, 412, "version_differs")


async def test_a_second_assignment_of_a_route_needs_if_match(region: RegionHarness) -> None:
    """The first assignment takes none; the list gives the version."""
    regency = "19.07"
    dinas = f"{region.dinas_id}-selatan"
    await region.agency(dinas, "dinas_tk", regencies=(regency,))
    path = f"/v1/agency-routes/{regency}/cooperative"
    administrator = region.administrator()
    body = {"agency_id": dinas}
    first = await done(administrator.request("PUT", path, json=body))
    await refused(administrator.request("PUT", path, json=body), 428, "version_required")
    headers = {"if-match": f'"{first["version"]}"'}
    second = await done(administrator.request("PUT", path, json=body, headers=headers))
    assert second["version"] == first["version"] + 1


async def test_another_prison_reads_an_agency_and_changes_nothing_of_it(
    region: RegionHarness,
) -> None:
    """The answer is that to an unknown agency, also with a stale If-Match."""
    stranger = region.officer("head", "LP-EVIL")
    path = f"/v1/agencies/{region.employer_id}"
    assert (await done(stranger.get(path)))["owner"] == region.facility
    body = {"reason": "karena bisa"}
    for verb in ("approve", "suspend", "resume", "close"):
        for headers in (await region.if_match(path), {"if-match": '"99"'}):
            attempt = stranger.post(f"{path}/{verb}", json=body, headers=headers)
            await refused(attempt, 404, "agency_unknown")
    assert (await done(region.officer("head").get(path)))["status"] == "active"


async def test_another_prison_directs_no_topic_to_or_from_an_agency(region: RegionHarness) -> None:
    regency = "19.08"
    dinas = f"{region.dinas_id}-timur"
    await region.agency(dinas, "dinas_tk", regencies=(regency,))
    path = f"/v1/agency-routes/{regency}/placement"
    stranger = region.administrator("administrator-9", "LP-EVIL")
    body = {"agency_id": dinas}
    await refused(stranger.request("PUT", path, json=body), 404, "agency_unknown")
    await region.assign_route(regency, "placement", dinas)
    own = f"{dinas}-lain"
    await region.agency(own, "dinas_tk", regencies=(regency,), facility="LP-EVIL")
    attempt = stranger.request("PUT", path, json={"agency_id": own}, headers={"if-match": '"1"'})
    await refused(attempt, 404, "agency_unknown")


async def test_a_dinas_is_suspended_by_two_persons_or_from_above(region: RegionHarness) -> None:
    path = f"/v1/agencies/{region.dinas_id}"
    body = {"reason": "insiden"}
    first = await done(region.change(region.officer("head"), f"{path}/suspend", json=body))
    assert (first["status"], first["proposal"]["to"]) == ("active", "suspended")
    assert (await region.dinas().get("/v1/candidates")).status_code == 200
    second = await done(region.change(region.administrator(), f"{path}/approve"))
    assert (second["status"], second["proposal"]) == ("suspended", None)
    await refused(region.dinas().get("/v1/candidates"), 403, "consumer_suspended")
    await done(region.change(region.administrator(), f"{path}/resume"))
    above = region.administrator("administrator-9", "*")
    alone = await done(region.change(above, f"{path}/suspend", json=body))
    assert alone["status"] == "suspended"


async def test_an_agency_is_linked_to_no_other_prison(region: RegionHarness) -> None:
    """A cooperatives office sees the production of the facilities that its agency names."""
    form = EMPLOYER_FORM | {
        "id": f"kukm-{region.tag}",
        "kind": "dinas_kukm",
        "name": f"Dinas KUKM {region.tag}",
        "facility_ids": ["LP-LAIN"],
    }
    await refused(region.administrator().post("/v1/agencies", json=form), 422, "facilities_refused")
