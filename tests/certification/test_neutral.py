"""No byte that a visitor, holder or employer gets tells where the holder was (certification 12, C16)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pypdf
import pytest

from services.certification.names.neutral import find_denied_words
from tests.certification.harness import Lsp, Stage, done

Said = list[tuple[str, str]]


async def outside(stage: Stage, lsp: Lsp) -> Said:
    """Everything that leaves about a certificate, as (where, text)."""
    certificate = await lsp.certificate()
    credential = await lsp.credential(certificate["certificate_id"])
    token, page = (
        certificate["check_url"].rpartition("/")[2],
        credential["credentialSubject"]["achievement"]["id"].removeprefix(
            "https://sertifikat.example"
        ),
    )
    paths = [
        f"/V/{token}",
        "/V/AAAAAAAAAAAA",
        "/V/x",
        f"/v/{token}",
        f"/i/{lsp.did.rpartition(':')[2]}/did.json",
        page,
        f"{page}9",
    ]
    paths += [
        entry["statusListCredential"].removeprefix("https://sertifikat.example")
        for entry in credential["credentialStatus"]
    ]
    said: Said = [
        ("credential", json.dumps(credential)),
        ("verification", json.dumps(await lsp.verified(credential))),
        ("unknown", json.dumps(await lsp.verified({}))),
    ]
    for path in paths:
        for accept in ("text/html", "application/json"):
            answer = await stage.anybody.get(path, headers={"accept": accept})
            assert answer.status_code == 404 or answer.headers["x-robots-tag"].startswith(
                "noindex"
            ), path
            headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
            said.append(
                (
                    path,
                    f"{path}\n{headers}\n{'' if answer.headers.get('content-type', '').startswith('application/problem') else answer.text}",
                )
            )
    printed = await lsp.officer.get(f"/v1/certificates/{certificate['certificate_id']}/pdf")
    said.append(("pdf headers", str(dict(printed.headers))))
    said.extend(in_pdf(printed.content))
    return said


def in_pdf(content: bytes) -> Iterator[tuple[str, str]]:
    """Text, document information, metadata and font names of a PDF, and every byte that is not compressed."""
    reader = pypdf.PdfReader(io.BytesIO(content))
    yield "pdf bytes", content.decode("latin-1")
    yield "pdf information", str(reader.metadata)
    assert reader.xmp_metadata is None
    assert not reader.attachments
    for page in reader.pages:
        yield "pdf text", page.extract_text()
        yield "pdf resources", str(page["/Resources"])


@pytest.mark.scenario("C16/bytes", "C17/pages")
async def test_no_page_paper_credential_list_address_or_header_holds_a_denied_word(
    stage: Stage, lsp: Lsp
) -> None:
    said = await outside(stage, lsp)
    assert [
        (where, find_denied_words(text)) for where, text in said if find_denied_words(text)
    ] == []
    assert len({where for where, _ in said}) > 12


@pytest.mark.scenario("C17/pages")
async def test_a_unit_titled_with_a_trade_word_is_published_and_issued(lsp: Lsp) -> None:
    credential = await lsp.credential((await lsp.certificate())["certificate_id"])
    titles = [
        unit["targetName"] for unit in credential["credentialSubject"]["achievement"]["alignment"]
    ]
    assert "Mengukur tahanan isolasi" in titles


@pytest.mark.scenario("C16/bytes")
async def test_a_certificate_carries_no_place_no_course_and_no_reference_of_the_person(
    stage: Stage, lsp: Lsp
) -> None:
    said = "\n".join(text for _, text in await outside(stage, lsp))
    origins = await stage.stored("origins", lsp_id=lsp.id)
    hidden = {
        lsp.venue["venue_id"],
        lsp.venue["name"],
        lsp.assessor["name"],
        lsp.assessor["met_no"],
        lsp.id,
    }
    hidden |= {
        origin[name]
        for origin in origins
        for name in (
            "_id",
            "participant_ref",
            "enrolment_id",
            "class_id",
            "programme_id",
            "course_title",
        )
    }
    assert [text for text in hidden if text in said] == []


async def test_two_certificates_of_one_person_cannot_be_joined_by_their_subjects_ids_or_places(
    lsp: Lsp,
) -> None:
    first, second = [
        await lsp.credential((await lsp.certificate("one-person" + lsp.id))["certificate_id"])
        for _ in range(1)
    ] + [await lsp.credential((await lsp.certificate())["certificate_id"])]
    assert first["credentialSubject"]["id"] != second["credentialSubject"]["id"]
    assert first["id"] != second["id"]
    assert (
        abs(
            int(first["credentialStatus"][0]["statusListIndex"])
            - int(second["credentialStatus"][0]["statusListIndex"])
        )
        > 1
    )
    assert first["proof"][0]["created"] == second["proof"][0]["created"]


async def test_the_internal_topic_and_the_staff_bodies_never_join_a_certificate_with_a_person(
    lsp: Lsp,
) -> None:
    certificate = await lsp.certificate()
    origin = (await lsp.stage.stored("origins", lsp_id=lsp.id))[0]
    listed = await done(lsp.officer.get("/v1/certificates"))
    assert origin["participant_ref"] not in json.dumps(listed)
    application = await done(
        lsp.officer.get(f"/v1/assessment-applications/{certificate['application_id']}")
    )
    assert certificate["certificate_id"] not in json.dumps(application)
