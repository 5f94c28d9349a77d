"""The 41 sample files over HTTP: the stored state, and texts that are stored nowhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from chassis.persistence.field_encryption import EncryptedField, FieldCipher
from services.training.text import normalise
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.test_sample_files import EXPECTED, FILES, SNAPSHOTS, TITLES, checked

_SIXTEEN = re.compile(r"(?=[0-9]{16})")


@dataclass
class ImportedSamples:
    """The service after all 41 files, with its answer to each file.

    Raw cells are gone with the next list, so errors and tasks are those read after each file.
    """

    client: AsgiClient
    answers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    errors: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sources: dict[str, str] = field(default_factory=dict[str, str])


@pytest.fixture(scope="module")
async def imported(fresh_service: AsgiClient) -> ImportedSamples:
    service = fresh_service
    await factories.create_sample_facilities(service)
    samples = ImportedSamples(service)
    for file in FILES:
        data = (SNAPSHOTS / file["path"]).read_bytes()
        answer = await factories.upload(service, file["facility"], data, file["taken_at"])
        samples.answers.append(answer)
        registry = factories.officer(service, file["facility"], "registry_operator")
        errors = f"/v1/snapshots/{answer['snapshot_id']}/row-errors"
        samples.errors[answer["snapshot_id"]] = await factories.list_all(registry, errors)
        everywhere = factories.administrator(service)
        for task in await factories.list_all(everywhere, "/v1/training-tasks"):
            samples.tasks.setdefault(task["id"], task)
    for person in await factories.database(service).find("participants", {}):
        samples.sources[person["_id"]] = person["source_ref"]
    return samples


def answer_of(imported: ImportedSamples, file: dict[str, Any]) -> dict[str, Any]:
    return imported.answers[int(file["n"]) - 1]


@pytest.mark.scenario("T25/wire")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=TITLES)
async def test_each_upload_answers_with_its_outcome_and_counts(
    imported: ImportedSamples, file: dict[str, Any]
) -> None:
    answer = answer_of(imported, file)
    state = {"accepted": "APPLIED", "quarantined": "QUARANTINED"}
    assert answer["duplicate"] == (file["outcome"] == "duplicate")
    assert answer["state"] == state.get(file["outcome"], answer["state"])
    assert answer["reason"] == file.get("reason")
    assert not answer["reason"] or answer["message"]
    for name, count in file.get("counts", {}).items():
        assert (
            answer["released_by_kind"]
            if name == "released_by_kind"
            else answer["counts"].get(name, 0)
        ) == count, name


@pytest.mark.parametrize(
    "file", [file for file in FILES if file["outcome"] == "accepted"], ids=lambda file: file["path"]
)
async def test_each_report_lists_movements_and_bad_cells_exactly(
    imported: ImportedSamples, file: dict[str, Any]
) -> None:
    snapshot_id = answer_of(imported, file)["snapshot_id"]
    client = factories.officer(imported.client, file["facility"], "registry_operator")
    actual: dict[str, dict[str, Any]] = {}
    for movement in await factories.list_all(client, f"/v1/snapshots/{snapshot_id}/movements"):
        expected: Any = {
            "transferred": movement["from_facility_id"],
            "released": {"kind": movement["code"], "on": movement["effective_on"]},
            "absent": movement["code"],
            "details_changed": movement["fields"],
            "merged": imported.sources.get(movement["code"]),
        }
        actual.setdefault(movement["kind"], {})[movement["source_ref"]] = expected.get(
            movement["kind"], True
        )
    assert actual == {
        kind: refs if isinstance(refs, dict) else dict.fromkeys(refs, True)
        for kind, refs in file["movements"].items()
    }
    errors = imported.errors[snapshot_id]
    assert all(error["message"] for error in errors)
    names = ("sheet", "row", "column", "field", "reason", "effect", "raw")
    wanted = [{name: row.get(name) for name in names} for row in file["row_errors"]]
    assert sorted(json.dumps({name: error[name] for name in names}) for error in errors) == sorted(
        map(json.dumps, wanted)
    )


async def test_the_tasks_are_exactly_those_that_the_files_opened(imported: ImportedSamples) -> None:
    actual: list[tuple[str, ...]] = []
    stored = await factories.database(imported.client).find("tasks", {})
    assert imported.tasks.keys() == {item["_id"] for item in stored}
    for item in imported.tasks.values():
        if item["kind"] == "TRANSFERRED_AWAY":
            continue
        facts = item["facts"]
        actual.append(
            (
                item["kind"],
                facts.get("source_ref", ""),
                facts.get("other_source_ref", facts.get("also", "")),
                facts.get("field", ""),
                facts.get("reason", ""),
                facts.get("raw", ""),
            )
        )
    wanted = [
        (
            item["kind"],
            item.get("ref") or "",
            item.get("other", item.get("also", "")),
            item.get("field", ""),
            item.get("reason", ""),
            item.get("raw", ""),
        )
        for file in FILES
        for item in file.get("inbox", [])
    ]
    assert sorted(actual) == sorted(wanted)


async def test_each_transfer_opened_a_task_at_the_facility_that_was_left(
    imported: ImportedSamples,
) -> None:
    database = factories.database(imported.client)
    opened = await database.find("tasks", {"kind": "TRANSFERRED_AWAY"})
    actual = [
        (task["facts"]["source_ref"], task["facilities"], task["facts"]["to"]) for task in opened
    ]
    wanted = [
        (ref, [left], file["facility"])
        for file in FILES
        for ref, left in file.get("movements", {}).get("transferred", {}).items()
    ]
    assert sorted(actual) == sorted(wanted)


async def test_the_stored_people_are_exactly_the_expected_ones(imported: ImportedSamples) -> None:
    database = factories.database(imported.client)
    people = {person["source_ref"]: person for person in await database.find("participants", {})}
    identities = {identity["_id"]: identity for identity in await database.find("identities", {})}
    assert people.keys() == EXPECTED["final"].keys()
    for ref, wanted in EXPECTED["final"].items():
        person = people[ref]
        identity = identities[people[ref]["_id"]]
        open_stays = [stay for stay in person["stays"] if not stay["ended_by"]]
        assert (
            open_stays[0]["facility_id"] if open_stays else None,
            person["state"],
            len(person["stays"]),
        ) == (wanted["facility"], wanted["state"], wanted["stays"]), ref
        details = {
            name: (person if name in person else identity)[name] or None
            for name in wanted["fields"]
        }
        assert details == wanted["fields"], ref
        assert (
            checked(normalise(identity["name"]).casefold()),
            checked(normalise(identity["register_no"])),
        ) == (wanted["name_check"], wanted["register_no_check"]), ref
        assert (identity["nik_status"], identity["nik_last4"] or None) == (
            wanted["nik_status"],
            wanted.get("nik_last4"),
        ), ref
        assert imported.sources.get(person["merged_into"]) == wanted.get("merged_into"), ref


async def test_every_movement_was_published_once(
    imported: ImportedSamples,
) -> None:
    database = factories.database(imported.client)
    published = await database.find(
        "outbox", {"type": {"$regex": "^training.participant-"}}, sort=[("key", 1), ("seq", 1)]
    )
    kinds = {
        "admitted",
        "transferred",
        "released",
        "absent",
        "returned",
        "details_changed",
        "merged",
    }
    movements = {
        movement["_id"]
        for movement in await database.find("movements", {"kind": {"$in": sorted(kinds)}})
    }
    assert {row["aggregate_id"] for row in published} == movements
    totals = EXPECTED["totals"]
    assert len(published) == sum(totals[kind] for kind in kinds) + totals["merged"]
    planned = await database.count("outbox", {"type": "training.release-planned.v1"})
    assert planned == totals["release_planned"]


@pytest.mark.scenario("T27/dump")
@pytest.mark.scenario("T36/training-import")
async def test_no_name_nik_or_offence_is_stored_outside_the_identities(
    imported: ImportedSamples,
) -> None:
    database = factories.database(imported.client)
    cipher: FieldCipher = imported.client.app.state.cipher
    identities = await database.find("identities", {})
    names = {identity["name"].casefold() for identity in identities}
    numbers = {
        cipher.decrypt(EncryptedField(**identity["nik"]), identity["_id"])
        for identity in identities
        if identity["nik"]
    }
    assert len(numbers) > 1_000
    for name in await database.db.list_collection_names():
        for document in await database.find(name, {}):
            text = json.dumps(document, default=str, ensure_ascii=False).casefold()
            assert "perkararahasia" not in text, name
            assert not numbers & {
                text[match.start() : match.start() + 16] for match in _SIXTEEN.finditer(text)
            }, name
            assert name == "identities" or not names & set(text.split('"')), name


async def test_applied_and_outdated_rows_are_removed(
    imported: ImportedSamples,
) -> None:
    kinds = {
        chunk["kind"]
        for chunk in await factories.database(imported.client).find("snapshot_chunks", {})
    }
    assert kinds == {"stopped"}
