"""From a completed course to a certificate that anybody can check, over real MongoDB and Kafka."""

from __future__ import annotations

import json
from datetime import timedelta

import pypdfium2
import pytest
import zxingcpp

from chassis.ids import new_id
from services.certification.certificates.rules import end_of_validity
from services.certification.credentials import proof
from tests.certification.harness import UNITS, Lsp, Stage, done, today
from tests.fakes import eventually


async def test_a_completed_course_becomes_a_certificate_that_anybody_can_check(
    stage: Stage, lsp: Lsp
) -> None:
    person = new_id()
    stage.training.names[person] = "Muhammad Syahrul Ramadhan"
    certificate = await lsp.certificate(person)
    credential = await lsp.credential(certificate["certificate_id"])

    assert (
        credential["credentialSubject"]["identifier"][0]["identityHash"]
        == "Muhammad Syahrul Ramadhan"
    )
    assert credential["validFrom"] == credential["awardedDate"] == f"{today()}T00:00:00+07:00"
    assert credential["validUntil"] == end_of_validity(today(), 36).isoformat()
    assert proof.digest(credential) == certificate["digest"]
    assert [member["cryptosuite"] for member in credential["proof"]] == ["eddsa-jcs-2022"]
    assert ("print-certificate", [person]) in stage.training.asked

    result = await lsp.verified(credential)
    assert (result["status"], result["name"], result["scheme"]) == (
        "valid",
        "Muhammad Syahrul Ramadhan",
        "Pemasangan Instalasi Listrik Sederhana",
    )
    assert set(result["checks"].values()) == {"passed"}
    assert result["units"] == UNITS

    issued = await eventually(
        lambda: _told(stage, "certificate-issued", certificate_id=certificate["certificate_id"])
    )
    assert issued[0]["key"] == person
    assert issued[0]["data"] == {
        "participant_ref": person,
        "certificate_id": certificate["certificate_id"],
        "scheme_id": lsp.scheme_ref,
        "scheme_title": "Pemasangan Instalasi Listrik Sederhana",
        "units": UNITS,
        "valid_from": str(today()),
        "valid_until": end_of_validity(today(), 36).date().isoformat(),
        "digest": certificate["digest"],
    }
    about_the_person = [event for event in stage.heard if event["key"] == person]
    assert [event["type"] for event in about_the_person] == [
        f"certification.{kind}.v1"
        for kind in ("application-opened", "competency-assessed", "certificate-issued")
    ]
    assert "Syahrul" not in json.dumps(about_the_person)
    assert not any("ce_facilityid" in event["headers"] for event in about_the_person)


async def _told(stage: Stage, kind: str, **where: object) -> list[dict[str, object]]:
    return stage.told(kind, **where)


@pytest.mark.scenario("C12/paper")
async def test_text_and_qr_of_the_paper_and_the_page_behind_it_agree(
    stage: Stage, lsp: Lsp
) -> None:
    certificate = await lsp.certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/pdf"
    printed = await lsp.officer.get(path)
    assert printed.status_code == 200
    assert printed.content == (await lsp.officer.get(path)).content

    document = pypdfium2.PdfDocument(printed.content)
    text = document[0].get_textpage().get_text_range()
    read = zxingcpp.read_barcodes(document[0].render(scale=2).to_pil())  # pyright: ignore[reportUnknownMemberType]  # it ships half its types
    assert [code.text for code in read] == [certificate["check_url"]]
    assert certificate["check_url"] in text

    checked = await done(
        stage.anybody.get(
            certificate["check_url"].removeprefix("HTTPS://SERTIFIKAT.EXAMPLE"),
            headers={"accept": "application/json"},
        )
    )
    assert checked["status"] == "valid"
    for said in (
        checked["name"],
        checked["scheme"],
        checked["issuer_name"],
        *(unit["code"] for unit in checked["units"]),
    ):
        assert said in text


async def test_the_page_speaks_indonesian_first_fetches_nothing_and_is_not_indexed(
    stage: Stage, lsp: Lsp
) -> None:
    certificate = await lsp.certificate()
    token = certificate["check_url"].rpartition("/")[2]
    answer = await stage.anybody.get(
        f"/V/{token}", headers={"accept": "text/html,application/xhtml+xml"}
    )
    assert answer.status_code == 200
    assert '<html lang="id">' in answer.text
    assert "Sertifikat ini asli dan berlaku." in answer.text
    assert "Siti Aminah" in answer.text
    assert "http" not in answer.text
    assert answer.headers["x-robots-tag"].startswith("noindex")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")

    moved = await stage.anybody.get(f"/v/{token.lower()}")
    assert (moved.status_code, moved.headers["location"]) == (308, f"/V/{token}")
    typed = await stage.anybody.get(
        f"/V/{token[:4]}-{token[4:8]}-{token[8:]}".lower().replace("/v/", "/V/")
    )
    assert typed.status_code == 200


@pytest.mark.parametrize("code", ["AAAAAAAAAAAA", "short", "AAAAAAAAAAA!", "%00", "AAAAAAAAAAAAA"])
async def test_a_code_that_nobody_gave_out_is_404_whatever_it_looks_like(
    stage: Stage, code: str
) -> None:
    page, answer = (
        await stage.anybody.get(f"/V/{code}"),
        await stage.anybody.get(f"/V/{code}", headers={"accept": "application/json"}),
    )
    assert (page.status_code, answer.status_code) == (404, 404)
    assert "Kode tidak dikenal" in page.text
    assert answer.json()["code"] == "certificate_unknown"


async def test_what_a_credential_points_to_is_there(stage: Stage, lsp: Lsp) -> None:
    credential = await lsp.credential((await lsp.certificate())["certificate_id"])
    slug = lsp.did.rpartition(":")[2]
    did = await done(stage.anybody.get(f"/i/{slug}/did.json"))
    assert did["id"] == credential["issuer"]["id"]
    assert credential["proof"][0]["verificationMethod"] in did["assertionMethod"]

    for entry in credential["credentialStatus"]:
        listed = await eventually(lambda url=entry["statusListCredential"]: _published(stage, url))
        assert listed["id"] == entry["statusListCredential"]
        assert listed["credentialSubject"]["statusPurpose"] == entry["statusPurpose"]

    path = credential["credentialSubject"]["achievement"]["id"].removeprefix(
        "https://sertifikat.example"
    )
    page, described = (
        await stage.anybody.get(path),
        await done(stage.anybody.get(path, headers={"accept": "application/json"})),
    )
    assert "Mengukur tahanan isolasi" in page.text
    assert described["scheme"] == credential["credentialSubject"]["achievement"]["name"]
    for missing in (f"{path}9", "/s/nothing/1", "/s/x/x", "/i/nobody/did.json", "/l/nothing"):
        assert (await stage.anybody.get(missing)).status_code == 404


async def _published(stage: Stage, url: str) -> dict[str, object] | None:
    answer = await stage.anybody.get(url.removeprefix("https://sertifikat.example"))
    return answer.json() if answer.status_code == 200 else None


async def test_a_course_of_a_scheme_that_nobody_published_yet_opens_its_application_when_it_is(
    stage: Stage, lsp: Lsp
) -> None:
    person, ref = new_id(), f"las-{new_id()[-10:]}"
    await lsp.completed(person, scheme_ref=ref)
    await eventually(lambda: stage.stored("early"))
    await done(
        lsp.officer.post(
            f"/v1/lsps/{lsp.id}/licences", json=lsp.licence(number="BNSP-2", scheme_refs=[ref])
        ),
        201,
    )
    await lsp.publish(scheme_ref=ref)
    found = await done(
        lsp.officer.get("/v1/assessment-applications", params={"participant_ref": person})
    )
    assert [one["scheme_ref"] for one in found["items"]] == [ref]
    assert not await stage.stored("early")


async def test_the_same_completion_told_again_and_a_course_without_a_scheme_open_nothing_more(
    stage: Stage, lsp: Lsp
) -> None:
    person, enrolment = new_id(), new_id()
    await lsp.opened(person, enrolment_id=enrolment)
    await lsp.completed(person, enrolment_id=enrolment)
    await lsp.completed(person, scheme_ref=None)
    await lsp.opened(person, enrolment_id=new_id(), completed_on=str(today() - timedelta(days=1)))
    found = await eventually(lambda: _of_person(lsp, person, 2))
    assert len(found) == 2


async def _of_person(lsp: Lsp, person: str, count: int) -> list[dict[str, object]] | None:
    found = (
        await done(
            lsp.officer.get("/v1/assessment-applications", params={"participant_ref": person})
        )
    )["items"]
    return found if len(found) >= count else None


async def test_after_a_merge_applications_and_later_events_follow_the_surviving_person(
    stage: Stage, lsp: Lsp
) -> None:
    old, new = new_id(), new_id()
    certificate = await lsp.certificate(old)
    await stage.tell(
        "training.participant-merged.v1",
        old,
        participant_ref=old,
        from_ref=old,
        into_ref=new,
        as_of=str(today()),
    )
    await stage.tell(
        "training.participant-merged.v1",
        new,
        participant_ref=new,
        from_ref=old,
        into_ref=new,
        as_of=str(today()),
    )
    await eventually(lambda: stage.stored("origins", participant_ref=new))
    assert len(await _of_person(lsp, new, 1) or []) == len(await _of_person(lsp, old, 1) or []) == 1
    before = await lsp.credential(certificate["certificate_id"])
    await done(
        lsp.officer.post(
            f"/v1/certificates/{certificate['certificate_id']}/revocation",
            json={"cause": "holder_request"},
        )
    )
    revoked = await eventually(
        lambda: _told(stage, "certificate-revoked", certificate_id=certificate["certificate_id"])
    )
    assert revoked[0]["key"] == new
    assert await lsp.credential(certificate["certificate_id"]) == before
    await lsp.completed(old, enrolment_id=new_id())
    assert len(await eventually(lambda: _of_person(lsp, new, 2))) == 2
