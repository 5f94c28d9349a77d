"""Names of candidates: for the assigned assessor, on two days, each read audited."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.ids import new_id
from services.certification.applications import candidate_names
from services.certification.applications.rules import Application, ApplicationState, Assignment
from services.certification.reasons import Reason
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, done, today
from tests.fakes import AsgiClient

PATH = "/v1/assessment-applications/names"


async def names(client: AsgiClient, *application_ids: str) -> list[Json]:
    """Return the lines that a caller gets for these applications."""
    body = {"application_ids": list(application_ids), "purpose": "assessment-day"}
    return (await done(client.post(PATH, json=body)))["items"]


async def assigned(lsp: LspHarness, name: str) -> tuple[str, str]:
    """Return application and person of a candidate with this name who is assessed today."""
    person = new_id()
    lsp.harness.training.names[person] = name
    application_id = await lsp.fill_forms(person)
    assert await lsp.assign(application_id) == set()
    return application_id, person


async def test_the_assessor_learns_who_is_assessed_and_each_read_is_audited(
    harness: Harness, lsp: LspHarness
) -> None:
    application_id, person = await assigned(lsp, "Siti Aminah")
    second_id, _ = await assigned(lsp, "Budi Santoso")
    assessor = lsp.assessor_client()
    lines = await names(assessor, second_id, application_id)
    assert [(line["application_id"], line["name"]) for line in lines] == [
        (second_id, "Budi Santoso"),
        (application_id, "Siti Aminah"),
    ]
    assert "assess-candidate" in {purpose for purpose, _ in harness.training.requests}
    rows = await harness.stored("audit", action="candidate_names.read", refs=person)
    [row] = [row for row in rows if row["actor"] == assessor.caller.subject]
    assert row["purpose"] == "assess-candidate"
    assert "Siti" not in str(await harness.stored("applications", _id=application_id))


async def test_a_foreign_or_unknown_application_gives_no_name(
    harness: Harness, lsp: LspHarness
) -> None:
    application_id, _ = await assigned(lsp, "Siti Aminah")
    other_assessor = await lsp.record_assessor()
    stranger = await LspHarness.create(harness)
    for client in (lsp.assessor_client(other_assessor), stranger.officer):
        foreign, unknown = await names(client, application_id, "nothing")
        assert foreign["name"] is unknown["name"] is None
        assert foreign["reasons"] == unknown["reasons"]
        assert foreign["reasons"][0]["code"] == "APPLICATION_UNKNOWN"
    [own] = await names(lsp.officer, application_id)
    assert own["name"] == "Siti Aminah"


async def test_a_person_unknown_to_training_is_a_line_with_its_reason(
    harness: Harness, lsp: LspHarness
) -> None:
    application_id, person = await assigned(lsp, "Siti Aminah")
    del harness.training.names[person]
    [line] = await names(lsp.assessor_client(), application_id)
    assert (line["name"], line["reasons"][0]["code"]) == (None, "NAME_UNAVAILABLE")


def application(days: int, state: ApplicationState = ApplicationState.ASSIGNED) -> Application:
    """Return an application that is assessed this number of days from today."""
    return Application(
        id="a",
        lsp_id="l",
        origin_ref="o",
        scheme_ref="s",
        opened_on=today(),
        state=state,
        assignment=Assignment(
            assessor_id="x",
            met_no="m",
            assessor_name="n",
            venue_id="v",
            held_on=today() + timedelta(days=days),
        ),
        results={},
    )


@pytest.mark.parametrize(("days", "is_shown"), [(2, False), (1, True), (0, True), (-1, False)])
def test_a_name_is_shown_on_the_day_and_on_the_day_before(days: int, *, is_shown: bool) -> None:
    reasons = candidate_names.reasons_against_showing_name(application(days), today())
    assert reasons == ([] if is_shown else [Reason.NAME_NOT_SHOWN_TODAY])


@pytest.mark.parametrize(
    "state", [ApplicationState.OPEN, ApplicationState.COMPETENT, ApplicationState.NOT_YET_COMPETENT]
)
def test_no_name_is_shown_before_the_assignment_or_after_the_decision(
    state: ApplicationState,
) -> None:
    reasons = candidate_names.reasons_against_showing_name(application(0, state), today())
    assert reasons == [Reason.NAME_NOT_SHOWN_TODAY]
