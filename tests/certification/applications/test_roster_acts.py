"""An assessment batch by roster acts: forms and results of units, a line per application."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id
from gateway.access.permissions.certification import PERMISSIONS
from tests.certification.factories import FORM, UNITS, LspHarness, all_units, application_path
from tests.certification.harness import Harness, Json, change, done, today
from tests.fakes import AsgiClient

FORMS = "/v1/assessment-applications/forms"
RESULTS = "/v1/assessment-applications/unit-results"
FOREIGN: Json = {"units": {"X.1": "K"}}
SELF_ASSESSMENT: Json = all_units(value=True) | {"signed_on": str(today())}


async def post(client: AsgiClient, path: str, lines: list[Json], key: str = "") -> Json:
    """Send a roster act, and return its report."""
    headers = {"idempotency-key": key} if key else {}
    return await done(client.post(path, json={"lines": lines}, headers=headers), 201)


def outcomes(report: Json) -> dict[str, tuple[str, list[str]]]:
    """Return {application: (outcome, codes of the reasons)} of a report."""
    return {
        line["key"]: (line["outcome"], [reason["code"] for reason in line["reasons"]])
        for line in report["lines"]
    }


async def read_line(lsp: LspHarness, application_id: str, **parts: Any) -> Json:
    """Return a line of an application at its version."""
    shown = await done(lsp.officer.get(application_path(application_id)))
    return {"application_id": application_id, "version": shown["version"]} | parts


async def count_changes(harness: Harness, application_id: str) -> int:
    """Return how many audit rows name a change of an application."""
    return len(await harness.stored("audit", action="applications.changed", subject=application_id))


async def declared(lsp: LspHarness, **assignment: str) -> str:
    """Return an application with an assessor who has no conflict of interest."""
    application_id = await lsp.fill_forms()
    assert await lsp.assign(application_id, **assignment) == set()
    path = f"{application_path(application_id)}/declaration"
    await done(change(lsp.assessor_client(), "PUT", path, json={"conflict": False}))
    return application_id


async def open_many(lsp: LspHarness, count: int) -> list[str]:
    """Return new applications without forms."""
    return [(await lsp.open_application())["application_id"] for _ in range(count)]


async def test_the_forms_of_a_batch_go_in_by_one_list(harness: Harness, lsp: LspHarness) -> None:
    """Good lines go in with one audit row each; the others name every reason."""
    both, only_first, foreign, empty = await open_many(lsp, 4)
    assigned = await declared(lsp)
    lines: list[Json] = [
        await read_line(lsp, both, apl_01=FORM, apl_02=SELF_ASSESSMENT),
        await read_line(lsp, only_first, apl_01=FORM),
        await read_line(lsp, foreign, apl_02=SELF_ASSESSMENT | {"units": {"X.1": True}}),
        await read_line(lsp, empty),
        await read_line(lsp, assigned, apl_01=FORM | {"signed_on": "2026-01-01"}),
        {"application_id": "tidak-ada", "version": 1, "apl_01": FORM},
    ]
    lines[2]["version"] += 1
    key = new_id()
    before = {line["application_id"]: line["version"] for line in lines}
    changes = {name: await count_changes(harness, name) for name in before}
    report = await post(lsp.officer, FORMS, lines, key)
    assert outcomes(report) == {
        both: ("applied", []),
        only_first: ("applied", []),
        foreign: ("refused", ["units_differ", "version_differs"]),
        empty: ("refused", ["forms_missing"]),
        assigned: ("refused", ["application_state_differs"]),
        "tidak-ada": ("refused", ["application_unknown"]),
    }
    assert report["counts"] == {"applied": 2, "repeated": 0, "refused": 4}
    [reason] = report["lines"][3]["reasons"]
    assert "FR.APL.01" in reason["text"]
    shown = await done(lsp.officer.get(application_path(both)))
    assert (shown["apl_01"], shown["apl_02"]) == (True, True)
    assert report["lines"][0]["version"] == shown["version"] == before[both] + 1

    assert await post(lsp.officer, FORMS, lines, key) == report
    repeated = outcomes(await post(lsp.officer, FORMS, lines))
    assert (repeated[both], repeated[only_first]) == (("repeated", []), ("repeated", []))
    new = {name: await count_changes(harness, name) - changes[name] for name in before}
    assert new == dict.fromkeys(before, 0) | {both: 1, only_first: 1}
    assert await lsp.assign(both) == set()


@pytest.mark.scenario("C13/batch")
async def test_the_results_of_a_batch_go_in_by_one_list(harness: Harness, lsp: LspHarness) -> None:
    """Good lines go in with one audit row each; a repeated list changes nothing."""
    first, second, recommended = [await declared(lsp) for _ in range(3)]
    tomorrow = str(today() + timedelta(days=1))
    venue = (await lsp.record_venue(is_verified=False))["venue_id"]
    days = {"valid_from": tomorrow, "valid_until": tomorrow, "scheme_refs": [lsp.scheme_ref]}
    path = f"/v1/venues/{venue}/verifications"
    await done(change(lsp.officer, "POST", path, json=days), 201)
    early = await lsp.fill_forms()
    assert await lsp.assign(early, held_on=tomorrow, venue_id=venue) == set()
    assessor = lsp.assessor_client()
    path = application_path(recommended)
    await done(change(assessor, "PUT", f"{path}/unit-results", json=all_units("BK")))
    await done(change(assessor, "PUT", f"{path}/recommendation", json={"competent": False}))
    lines: list[Json] = [
        await read_line(lsp, first, **all_units("K")),
        await read_line(lsp, second, **FOREIGN),
        await read_line(lsp, recommended, **all_units("K")),
        await read_line(lsp, early, **FOREIGN),
    ]
    key = new_id()
    report = await post(assessor, RESULTS, lines, key)
    assert outcomes(report) == {
        first: ("applied", []),
        second: ("refused", ["units_differ"]),
        recommended: ("refused", ["application_state_differs"]),
        early: ("refused", ["ASSESSOR_CONFLICT", "not_yet_held", "units_differ"]),
    }
    changes = await count_changes(harness, first)
    assert await post(assessor, RESULTS, lines, key) == report
    # a repeat succeeds with the version from before the first upload too
    assert outcomes(await post(assessor, RESULTS, lines[:1])) == {first: ("repeated", [])}
    other = [lines[0] | all_units("BK")]
    assert outcomes(await post(assessor, RESULTS, other)) == {
        first: ("refused", ["version_differs"])
    }
    assert await count_changes(harness, first) == changes
    recommendation = {"competent": True}
    path = f"{application_path(first)}/recommendation"
    assert (await done(change(assessor, "PUT", path, json=recommendation)))[
        "state"
    ] == "recommended"


async def test_an_assessor_records_results_of_assigned_applications_only(
    harness: Harness, lsp: LspHarness
) -> None:
    """Another assessor and another LSP's answer like an unknown application."""
    own = await declared(lsp)
    line = await read_line(lsp, own, **all_units("K"))
    second = lsp.assessor_client(await lsp.record_assessor())
    stranger = await LspHarness.create(harness)
    for client in (second, stranger.assessor_client()):
        report = await post(client, RESULTS, [line])
        assert outcomes(report) == {own: ("refused", ["application_unknown"])}
    form = await read_line(lsp, own, apl_01=FORM)
    report = await post(stranger.officer, FORMS, [form])
    assert outcomes(report) == {own: ("refused", ["application_unknown"])}


def roles_with(permission: str) -> set[str]:
    """Return the roles that may call a route."""
    return {role for role, permissions in PERMISSIONS.items() if permission in permissions}


def test_forms_and_results_of_a_batch_stay_with_the_roles_of_single_ones() -> None:
    single = "PUT /v1/assessment-applications/{application_id}"
    assert roles_with(f"POST {RESULTS}") == roles_with(f"{single}/unit-results") == {"assessor"}
    assert roles_with(f"POST {FORMS}") == roles_with(f"{single}/apl-01") == {"lsp_officer"}


async def test_a_list_that_cannot_be_read_is_refused_with_its_field(lsp: LspHarness) -> None:
    line = {"application_id": "x", "version": 1}
    wrong = {"units": {UNITS[0]["code"]: "kompeten"}}
    assessor = lsp.assessor_client()
    for lines, field in (
        ([], "lines"),
        ([line | all_units("K")] * 501, "lines"),
        ([line | all_units("K")] * 2, "lines"),
        ([line | wrong], f"lines.0.units.{UNITS[0]['code']}"),
        ([{"application_id": "x"} | all_units("K")], "lines.0.version"),
    ):
        answer = await assessor.post(RESULTS, json={"lines": lines})
        assert (answer.status_code, answer.json()["field"]) == (422, field)
