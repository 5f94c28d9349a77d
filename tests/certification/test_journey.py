"""From a completed course to a certificate that anybody can check."""

from __future__ import annotations

import json

from chassis.ids import new_id
from services.certification.certificates.rules import end_of_validity
from services.certification.credentials import proof
from tests.certification.factories import UNITS, LspHarness
from tests.certification.harness import Harness, Json, done, today
from tests.fakes import eventually

NAME = "Muhammad Syahrul Ramadhan"
SCHEME = "Pemasangan Instalasi Listrik Sederhana"


async def issue_for(person: str, lsp: LspHarness) -> Json:
    """Return an issued certificate of this person, whose name is NAME."""
    lsp.harness.training.names[person] = NAME
    return await lsp.issue_certificate(person)


async def test_a_completed_course_becomes_a_certificate_that_anybody_can_check(
    harness: Harness, lsp: LspHarness
) -> None:
    person = new_id()
    certificate = await issue_for(person, lsp)
    credential = await lsp.get_credential(certificate["certificate_id"])
    valid_until = end_of_validity(today(), 36)
    assert credential["credentialSubject"]["identifier"][0]["identityHash"] == NAME
    assert credential["validFrom"] == credential["awardedDate"] == f"{today()}T00:00:00+07:00"
    assert credential["validUntil"] == valid_until.isoformat()
    assert proof.digest(credential) == certificate["digest"]
    assert [member["cryptosuite"] for member in credential["proof"]] == ["eddsa-jcs-2022"]
    assert ("print-certificate", [person]) in harness.training.requests

    result = await lsp.verify(credential)
    assert (result["status"], result["name"], result["scheme"]) == ("valid", NAME, SCHEME)
    assert set(result["checks"].values()) == {"passed"}
    assert result["units"] == UNITS


async def test_the_events_of_a_certificate_are_keyed_by_person_and_name_nobody(
    harness: Harness, lsp: LspHarness
) -> None:
    person = new_id()
    certificate = await issue_for(person, lsp)
    certificate_id = certificate["certificate_id"]
    [issued] = await eventually(
        lambda: harness.events_of("certificate-issued", certificate_id=certificate_id)
    )
    assert issued["key"] == person
    assert issued["data"] == {
        "participant_ref": person,
        "certificate_id": certificate_id,
        "scheme_id": lsp.scheme_ref,
        "scheme_title": SCHEME,
        "units": UNITS,
        "valid_from": str(today()),
        "valid_until": end_of_validity(today(), 36).date().isoformat(),
        "digest": certificate["digest"],
    }
    about_person = [event for event in harness.events if event["key"] == person]
    assert [event["type"] for event in about_person] == [
        "certification.application-opened.v1",
        "certification.competency-assessed.v1",
        "certification.certificate-issued.v1",
    ]
    assert "Syahrul" not in json.dumps(about_person)
    assert not any("ce_facilityid" in event["headers"] for event in about_person)


async def read_list(harness: Harness, url: str) -> Json | None:
    """Return a published status list; None while there is none."""
    answer = await harness.get_public(url)
    return answer.json() if answer.status_code == 200 else None


async def test_the_addresses_in_a_credential_exist(harness: Harness, lsp: LspHarness) -> None:
    credential = await lsp.issue_credential()
    slug = lsp.did.rpartition(":")[2]
    did_document = await done(harness.get_public(f"/i/{slug}/did.json"))
    assert did_document["id"] == credential["issuer"]["id"]
    assert credential["proof"][0]["verificationMethod"] in did_document["assertionMethod"]

    for entry in credential["credentialStatus"]:
        url = entry["statusListCredential"]
        status_list = await eventually(lambda url=url: read_list(harness, url))
        assert status_list["id"] == url
        assert status_list["credentialSubject"]["statusPurpose"] == entry["statusPurpose"]

    achievement = credential["credentialSubject"]["achievement"]
    page = await harness.get_public(achievement["id"])
    described = await done(harness.get_public(achievement["id"], accept="application/json"))
    assert "Mengukur tahanan isolasi" in page.text
    assert described["scheme"] == achievement["name"]


async def test_addresses_of_nothing_are_404(harness: Harness, lsp: LspHarness) -> None:
    edition = f"/s/{lsp.scheme_ref}/1"
    assert (await harness.get_public(edition)).status_code == 200
    for missing in (f"{edition}9", "/s/nothing/1", "/s/x/x", "/i/nobody/did.json", "/l/nothing"):
        assert (await harness.get_public(missing)).status_code == 404, missing
