"""The disclosure of a candidate: columns of the consent, and a name requested then."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from tests.manpower.fakes import NAME
from tests.manpower.harness import RegionHarness, done

ALL_FIELDS = ("name", "regency", "skills", "experience", "availability")
BODY_FIELDS = {"regency": "regency_code", "availability": "available_from"}


@pytest.mark.scenario("P5/api", "MP-1/columns")
@pytest.mark.parametrize(
    "fields", [("skills",), ("availability", "regency"), ("experience",), ALL_FIELDS]
)
async def test_an_outside_reader_gets_the_consents_columns_and_no_others(
    region: RegionHarness, fields: tuple[str, ...]
) -> None:
    ref = await region.admitted()
    certificate = new_id()
    await region.publish_certificate(ref, certificate)
    await region.publish_release_plan(ref, kind="conditional_release", on="2027-06-17")
    await region.known(ref, **{"plan.month": "2027-06", "skills.0": {"$exists": True}})
    await region.consents(ref, fields=fields)
    expected = {"id", "version", "consent_expires_at"}
    expected |= {BODY_FIELDS.get(field, field) for field in fields}
    answer = await region.dinas().get(f"/v1/candidates/{ref}")
    assert answer.json().keys() == expected
    for secret in (
        certificate,
        region.facility,
        "conditional_release",
        "2027-06-17",
        "inside",
        "birth",
    ):
        assert secret not in answer.text
    [listed] = (await done(region.dinas().get("/v1/candidates")))["items"]
    assert listed.keys() == expected - {"name"}


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_name_is_requested_with_its_purpose_and_disclosure_is_audited(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("name", "skills"))
    requests = region.service.training.requests
    requests.clear()
    dinas = region.dinas()
    assert (await done(dinas.get(f"/v1/candidates/{ref}")))["name"] == NAME
    assert requests == [("refer-candidate", [ref])]
    [row] = await region.db.find("audit", {"action": "candidates.disclosed", "subject": ref})
    assert (row["actor"], row["purpose"]) == (dinas.caller.subject, "dinas_registration")
    assert (row["recipient"], row["consent"]) == (region.dinas_id, consent["id"])
    assert row["fields"] == ["name", "skills"]


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_name_that_the_consent_does_not_cover_is_not_requested(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    await region.consents(ref, fields=("skills",))
    requests = region.service.training.requests
    requests.clear()
    assert "name" not in await done(region.dinas().get(f"/v1/candidates/{ref}"))
    assert requests == []


@pytest.mark.scenario("MP-6/disclosure")
async def test_a_consent_withdrawn_while_the_name_is_fetched_discloses_nothing(
    region: RegionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref)
    training = region.service.client.app.state.training
    request = training.request

    async def request_during_withdrawal(*values: Any, **more: Any) -> Any:
        answer = await request(*values, **more)
        await done(region.change(region.officer(), f"/v1/consents/{consent['id']}/withdraw"))
        return answer

    monkeypatch.setattr(training, "request", request_during_withdrawal)
    answer = await region.dinas().get(f"/v1/candidates/{ref}")
    assert (answer.status_code, NAME in answer.text) == (404, False)
    assert await region.db.find("audit", {"action": "candidates.disclosed", "subject": ref}) == []


async def test_while_training_is_away_the_answer_is_a_503_with_retry_after(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    region.service.training.is_away = True
    try:
        answer = await region.dinas().get(f"/v1/candidates/{ref}")
    finally:
        region.service.training.is_away = False
    assert (answer.status_code, answer.json()["code"]) == (503, "peer_away")
    assert answer.headers["retry-after"]


async def test_candidates_by_ids_are_disclosed_with_one_identity_query(
    region: RegionHarness,
) -> None:
    """Each disclosure is audited; who may not be seen is left out."""
    named = [await region.admitted() for _ in range(3)]
    for ref in named:
        await region.consents(ref, fields=("name", "skills"))
    [unnamed] = await region.shared(1)
    hidden = await region.admitted()
    requests = region.service.training.requests
    del requests[:]
    ids = ",".join([*named, unnamed, hidden, "nobody"])
    page = await done(region.dinas().get(f"/v1/candidates?ids={ids}"))
    shown = {item["id"]: item.get("name") for item in page["items"]}
    assert shown == dict.fromkeys(named, NAME) | {unnamed: None}
    assert [(purpose, sorted(refs)) for purpose, refs in requests] == [
        ("refer-candidate", sorted(named))
    ]
    where = {"action": "candidates.disclosed", "subject": {"$in": [*named, unnamed, hidden]}}
    rows = await region.db.find("audit", where)
    assert sorted(row["subject"] for row in rows) == sorted([*named, unnamed])


async def test_more_than_100_ids_are_refused(region: RegionHarness) -> None:
    ids = ",".join(f"p-{number}" for number in range(101))
    answer = await region.dinas().get(f"/v1/candidates?ids={ids}")
    assert answer.status_code == 422
    assert (await done(region.dinas().get(f"/v1/candidates?ids={ids[: ids.rfind(',')]}")))[
        "items"
    ] == []
