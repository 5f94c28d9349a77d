"""Panel decisions: independence, refusals, batches, repeats (certification section 8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.certification.factories import LspHarness, application_path
from tests.certification.harness import change, done, today
from tests.fakes import not_four_eyes

TOMORROW = str(today() + timedelta(days=1))


@pytest.mark.scenario("C13/codes")
async def test_a_unit_that_is_not_competent_gives_no_certificate(lsp: LspHarness) -> None:
    application_id = await lsp.recommend(results="BK", competent=False)
    assert await lsp.refused_sitting(lsp.sitting(application_id)) == {"UNIT_NOT_COMPETENT"}
    decision = await lsp.decide(lsp.sitting(application_id, competent=False))
    assert decision["items"] == [
        {
            "application_id": application_id,
            "competent": False,
            "reasons": [],
            "certificate_id": None,
        }
    ]
    application = await done(lsp.officer.get(application_path(application_id)))
    assert application["state"] == "not_yet_competent"
    assert await lsp.list_certificates(application_id) == []


@pytest.mark.scenario("C13/codes")
@pytest.mark.parametrize("by_name", [True, False])
async def test_the_assessor_of_an_assessment_does_not_sit_on_its_panel(
    lsp: LspHarness,
    by_name: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    application_id = await lsp.recommend()
    member = {"name": "Siapa Saja", "assessor_id": lsp.assessor["assessor_id"]}
    if by_name:
        member = {"name": "asesor  satu"}
    sitting = lsp.sitting(application_id, members=[{"name": "Ketua Pleno"}, member])
    assert await lsp.refused_sitting(sitting) == {"PANEL_NOT_INDEPENDENT"}


@pytest.mark.scenario("C13/codes")
async def test_who_recommended_does_not_enter_the_decision(lsp: LspHarness) -> None:
    application_id = await lsp.recommend()
    [stored] = await lsp.harness.stored("applications", _id=application_id)
    recommendation = stored["recommendation"]
    assert recommendation["by"] == f"user-{lsp.assessor['assessor_id']}"
    for actor in not_four_eyes(recommendation["by"], recommendation["on_behalf_of"]):
        decider = lsp.committee.by(*actor)
        answer = await decider.post("/v1/panel-decisions", json=lsp.sitting(application_id))
        codes = [reason["code"] for reason in answer.json()["reasons"]]
        assert codes == ["PANEL_NOT_INDEPENDENT"], actor


@pytest.mark.scenario("C13/codes")
async def test_nothing_is_decided_without_a_recommendation(lsp: LspHarness) -> None:
    sitting = lsp.sitting(await lsp.fill_forms())
    assert await lsp.refused_sitting(sitting) == {"NOT_RECOMMENDED_YET"}


@pytest.mark.scenario("C13/codes")
async def test_nothing_is_decided_without_a_confirmed_name(lsp: LspHarness) -> None:
    application_id = await lsp.recommend()
    await done(change(lsp.officer, "PUT", f"{application_path(application_id)}/name"))
    assert await lsp.refused_sitting(lsp.sitting(application_id)) == {"NAME_NOT_CONFIRMED"}


@pytest.mark.scenario("C13/codes")
async def test_a_sitting_tomorrow_or_with_a_repeated_application_is_refused(
    lsp: LspHarness,
) -> None:
    application_id = await lsp.recommend()
    tomorrow = lsp.sitting(application_id, decided_on=TOMORROW)
    assert await lsp.refused_sitting(tomorrow) == {"decided_on_invalid"}
    twice = lsp.sitting(application_id, application_id)
    assert await lsp.refused_sitting(twice) == {"application_twice"}


@pytest.mark.scenario("C13/batch")
async def test_a_refused_application_does_not_stop_the_others_of_a_sitting(lsp: LspHarness) -> None:
    good = await lsp.recommend()
    bad = await lsp.recommend(results="BK", competent=False)
    decision = await lsp.decide(lsp.sitting(good, bad, "unknown"))
    codes = {
        item["application_id"]: [reason["code"] for reason in item["reasons"]]
        for item in decision["items"]
    }
    assert codes == {
        good: [],
        bad: ["UNIT_NOT_COMPETENT"],
        "unknown": ["APPLICATION_UNKNOWN"],
    }
    await lsp.wait_until_issued(decision["items"][0]["certificate_id"])
    assert await lsp.refused_sitting(lsp.sitting(good)) == {"ALREADY_DECIDED"}


async def test_concurrent_decisions_on_one_application_give_one_certificate(
    lsp: LspHarness,
) -> None:
    application_id = await lsp.recommend()
    requests = [
        lsp.committee.post(
            "/v1/panel-decisions", json=lsp.sitting(application_id, minutes_no=f"BA-{number}")
        )
        for number in range(4)
    ]
    answers = await asyncio.gather(*requests)
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert len(await lsp.list_certificates(application_id)) == 1


async def test_a_decision_repeated_with_its_key_is_the_same_decision(lsp: LspHarness) -> None:
    application_id = await lsp.recommend()
    key = {"idempotency-key": "pleno-1"}
    first = await lsp.decide(lsp.sitting(application_id), **key)
    again = await lsp.decide(lsp.sitting(application_id), **key)
    assert first == again
    assert len(await lsp.list_certificates(application_id)) == 1


async def test_the_audit_names_the_decision_and_not_its_preparation(lsp: LspHarness) -> None:
    decision = await lsp.decide(lsp.sitting(await lsp.recommend()))
    [row] = await lsp.harness.stored("audit", subject=decision["panel_decision_id"])
    assert row["what"] == "decide"
