"""Files after public bug reports, over HTTP: `cases/` holds them and the right outcomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import AsgiClient
from tests.training import factories

CASES_FOLDER = Path(__file__).parents[1] / "cases"
CASES: list[dict[str, Any]] = json.loads((CASES_FOLDER / "cases.json").read_text())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_a_reported_file_has_an_outcome_that_is_right(
    service: AsgiClient, case: dict[str, Any]
) -> None:
    facility_id = case["facility"]
    await factories.create_facility(
        service, facility_id, mapping=case["mapping"], live_from="2026-11-01"
    )
    snapshot: dict[str, Any] = {}
    for file in case["files"]:
        data = (CASES_FOLDER / file["file"]).read_bytes()
        snapshot = await factories.upload(service, facility_id, data, file["taken_at"])
    registry = factories.officer(service, facility_id, "registry_operator")
    path = f"/v1/snapshots/{snapshot['snapshot_id']}/row-errors"
    errors = await factories.list_all(registry, path)
    people = await read_people(service, facility_id)
    outcome = {"snapshot": snapshot, "errors": errors, "people": people}
    assert any(fits(wanted, outcome) for wanted in case["accept"]), outcome


async def read_people(service: AsgiClient, facility_id: str) -> dict[str, dict[str, Any]]:
    """Return what is stored about each person, by source reference."""
    database = factories.database(service)
    stored = await database.find("participants", {"facility_id": facility_id})
    people: dict[str, dict[str, Any]] = {}
    for person in stored:
        identity = await database.find_one("identities", {"_id": person["_id"]})
        assert identity
        people[person["source_ref"]] = {
            "name": identity["name"],
            "birth": identity["birth_date"],
            "expected_release": person["expected_release"],
            "state": person["state"],
        }
    return people


def fits(wanted: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Return whether the outcome is the wanted one in everything that it names."""
    snapshot = outcome["snapshot"]
    counts = snapshot["counts"]
    found = {(error["field"], error["reason"]) for error in outcome["errors"]}
    n_errors = wanted.get("n_errors")
    people = wanted.get("people", {})
    return all(
        (
            snapshot["state"] == wanted["state"],
            wanted.get("reason_not", "") != (snapshot["reason"] or "-"),
            snapshot["row_count"] == wanted.get("rows", snapshot["row_count"]),
            counts.get("admitted", 0) == wanted.get("admitted", counts.get("admitted", 0)),
            counts.get("missing", 0) == wanted.get("missing", counts.get("missing", 0)),
            n_errors is None or len(outcome["errors"]) == n_errors,
            {tuple(error) for error in wanted.get("errors", [])} <= found,
            all(facts.items() <= outcome["people"][ref].items() for ref, facts in people.items()),
        )
    )
