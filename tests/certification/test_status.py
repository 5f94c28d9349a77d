"""Revoked and suspended: at once in our own verification, in the public list at the next tick, and never why."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from services.certification.certificates.rules import RevocationCause
from services.certification.statuslists import bits
from tests.certification.harness import Json, Lsp, Stage, done, refused
from tests.fakes import eventually


async def listed_bit(stage: Stage, credential: Json, purpose: str) -> bool | None:
    """The certificate's bit in the public list, None while there is no list."""
    entry = next(one for one in credential["credentialStatus"] if one["statusPurpose"] == purpose)
    answer = await stage.anybody.get(
        entry["statusListCredential"].removeprefix("https://sertifikat.example")
    )
    if answer.status_code != 200:
        return None
    return bits.is_raised(
        bits.decode(answer.json()["credentialSubject"]["encodedList"]),
        int(entry["statusListIndex"]),
    )


async def change(
    lsp: Lsp, certificate: Json, verb: str, cause: str = "misuse_of_certificate"
) -> Json:
    return await done(
        lsp.officer.post(
            f"/v1/certificates/{certificate['certificate_id']}/{verb}", json={"cause": cause}
        )
    )


async def eventually_bit(stage: Stage, credential: Json, purpose: str, *, raised: bool) -> None:
    async def so() -> bool:
        return await listed_bit(stage, credential, purpose) is raised

    await eventually(so)


@pytest.mark.scenario("C4/revocation")
async def test_a_revoked_certificate_is_revoked_at_once_here_and_in_the_list_within_a_tick(
    stage: Stage, lsp: Lsp
) -> None:
    certificate = await lsp.certificate()
    credential = await lsp.credential(certificate["certificate_id"])
    await eventually_bit(stage, credential, "revocation", raised=False)
    revoked = await change(lsp, certificate, "revocation")
    result = await lsp.verified(credential)
    assert (result["status"], result["checks"]["status"], result["checks"]["digest"]) == (
        "revoked",
        "failed",
        "passed",
    )
    await eventually_bit(stage, credential, "revocation", raised=True)
    assert await listed_bit(stage, credential, "suspension") is False
    assert (await change(lsp, certificate, "revocation", "data_error")) == revoked


@pytest.mark.scenario("C4/revocation")
async def test_a_revocation_cannot_be_undone_and_its_reason_is_never_public(
    stage: Stage, lsp: Lsp
) -> None:
    certificate = await lsp.certificate()
    credential = await lsp.credential(certificate["certificate_id"])
    await change(lsp, certificate, "revocation")
    for verb in ("reinstatement", "suspension"):
        answer = lsp.officer.post(
            f"/v1/certificates/{certificate['certificate_id']}/{verb}", json={"cause": "data_error"}
        )
        assert await refused(answer, 409) == {"certificate_state_differs"}

    async def heard() -> list[Json]:
        return stage.told("certificate-revoked", certificate_id=certificate["certificate_id"])

    event = (await eventually(heard))[0]
    assert event["data"].keys() == {"participant_ref", "certificate_id", "scheme_id"}
    page = await stage.anybody.get(f"/V/{certificate['check_url'].rpartition('/')[2]}")
    assert "Dicabut" in page.text
    for public in (page.text, json.dumps(await lsp.verified(credential)), json.dumps(event)):
        assert "misuse" not in public
        assert lsp.officer.caller.subject not in public or public == json.dumps(event)


@pytest.mark.scenario("C4/revocation")
async def test_the_list_of_reasons_is_closed_and_knows_no_conviction(lsp: Lsp) -> None:
    assert set(RevocationCause) == {
        "data_error",
        "replaced",
        "assessment_irregularity",
        "misuse_of_certificate",
        "holder_request",
        "issuer_key_compromise",
        "scheme_withdrawn",
    }
    certificate = await lsp.certificate()
    for cause in ("conviction", "suspicion", ""):
        assert await refused(
            lsp.officer.post(
                f"/v1/certificates/{certificate['certificate_id']}/revocation",
                json={"cause": cause},
            )
        ) == {"body_invalid"}


@pytest.mark.scenario("C5/suspension")
async def test_a_suspended_certificate_holds_again_when_it_is_reinstated_and_revoked_wins(
    stage: Stage, lsp: Lsp
) -> None:
    certificate = await lsp.certificate()
    credential = await lsp.credential(certificate["certificate_id"])
    await change(lsp, certificate, "suspension", "assessment_irregularity")
    assert (await lsp.verified(credential))["status"] == "suspended"
    await eventually_bit(stage, credential, "suspension", raised=True)
    await change(lsp, certificate, "reinstatement", "data_error")
    assert (await lsp.verified(credential))["status"] == "valid"
    await eventually_bit(stage, credential, "suspension", raised=False)
    await change(lsp, certificate, "suspension")
    kept = await change(lsp, certificate, "revocation")
    assert (await lsp.verified(credential))["status"] == "revoked"
    assert [(one["state"], one["cause"]) for one in kept["changes"]] == [
        ("suspended", "assessment_irregularity"),
        ("issued", "data_error"),
        ("suspended", "misuse_of_certificate"),
        ("revoked", "misuse_of_certificate"),
    ]
    assert {one["by"] for one in kept["changes"]} == {lsp.officer.caller.subject}
    moments = [datetime.fromisoformat(one["at"]) for one in kept["changes"]]
    assert moments == sorted(moments)

    async def heard() -> bool:
        return (
            len(
                [
                    event
                    for event in stage.heard
                    if event["data"].get("certificate_id") == certificate["certificate_id"]
                ]
            )
            == 5
        )

    await eventually(heard)
    kinds = [
        event["type"].split(".")[1]
        for event in stage.heard
        if event["data"].get("certificate_id") == certificate["certificate_id"]
    ]
    assert kinds == [
        "certificate-issued",
        "certificate-suspended",
        "certificate-reinstated",
        "certificate-suspended",
        "certificate-revoked",
    ]


async def test_lists_are_published_anew_on_every_tick_though_nothing_changed(
    stage: Stage, lsp: Lsp
) -> None:
    credential = await lsp.credential((await lsp.certificate())["certificate_id"])
    path = credential["credentialStatus"][0]["statusListCredential"].removeprefix(
        "https://sertifikat.example"
    )
    ticks: set[str] = set()

    async def twice() -> bool:
        answer = await stage.anybody.get(path)
        if answer.status_code == 200:
            ticks.add(answer.json()["validFrom"])
        return len(ticks) > 1

    await eventually(twice)


@pytest.mark.scenario("C2/tampering")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b'{"a": NaN}', 400, "malformed"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, 400, "malformed"),
        (b'{"a": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
        (b"{}", 200, "unknown_issuer"),
        (b'{"issuer": {"id": "did:web:other.example:i:x"}}', 200, "unknown_issuer"),
    ],
)
async def test_an_upload_is_answered_with_what_is_wrong_and_never_with_500(
    stage: Stage, body: bytes, status: int, code: str
) -> None:
    answer = await stage.anybody.request(
        "POST", "/v1/verifications", content=body, headers={"content-type": "application/json"}
    )
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said.get("code") or said["status"]) == (status, code)


@pytest.mark.scenario("C2/tampering")
async def test_a_changed_upload_of_our_own_certificate_is_invalid_and_tells_nothing_of_it(
    lsp: Lsp,
) -> None:
    credential = await lsp.credential((await lsp.certificate())["certificate_id"])
    changed = credential | {"name": credential["name"] + "x"}
    unheld = {name: value for name, value in credential.items() if name != "credentialStatus"}
    for attacked in (
        changed,
        unheld,
        credential | {"id": "urn:uuid:00000000-0000-4000-8000-000000000000"},
    ):
        result = await lsp.verified(attacked)
        assert (result["status"], result["name"], result["scheme"]) == ("invalid", None, None)
