"""The 41 sample files in order, through the rules alone, against expected.json."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.persistence.field_encryption import FieldCipher, KeyRing, LookupKeys
from services.training.mappings.rules import load_mappings
from services.training.participants.rules import DETAIL_FIELDS
from services.training.text import normalise
from tests.training.harness import ImportHarness, ImportReport

SNAPSHOTS = Path(__file__).parent / "snapshots"


EXPECTED: dict[str, Any] = json.loads((SNAPSHOTS / "expected.json").read_text())


FILES: list[dict[str, Any]] = EXPECTED["files"]


TITLES = [f"{file['n']:02d}-{file['path']}" for file in FILES]


class Replay:
    """All files imported once: each file's report and each day's state of custody."""

    def __init__(self) -> None:
        self.imports = ImportHarness(
            mappings=dict(load_mappings(SNAPSHOTS / "mappings.toml").usable),
            cipher=FieldCipher(KeyRing("master_key", b"m" * 32)),
            lookup_keys=LookupKeys(KeyRing("lookup_key", b"l" * 32)),
        )
        self.reports: list[ImportReport] = []
        self.custody: dict[int, dict[str, Counter[str]]] = {}
        for file in FILES:
            self.reports.append(
                self.imports.import_file(
                    file["facility"],
                    (SNAPSHOTS / file["path"]).read_bytes(),
                    datetime.fromisoformat(file["taken_at"]),
                )
            )
            self.custody[file["n"]] = self._custody()

    def of(self, file: dict[str, Any]) -> ImportReport:
        """Return the import report of this file."""
        return self.reports[int(file["n"]) - 1]

    def _custody(self) -> dict[str, Counter[str]]:
        actual: dict[str, Counter[str]] = {code: Counter() for code in self.imports.mappings}
        for person in self.imports.people.values():
            if person.open_stay is not None:
                actual[person.open_stay.facility_id] += Counter(
                    {
                        "open_stays": 1,
                        "absent": bool(person.absence),
                        "missing": person.state == "missing",
                    }
                )
        return actual


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay()


def checked(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.scenario("T25/guards")
@pytest.mark.parametrize("file", FILES, ids=TITLES)
def test_each_file_has_the_outcome_the_guards_demand(replay: Replay, file: dict[str, Any]) -> None:
    report = replay.of(file)
    assert (report.outcome, report.reason) == (file["outcome"], file.get("reason", ""))
    assert report.row_count == file.get("row_count", 0)


@pytest.mark.scenario("T4/import")
@pytest.mark.parametrize("file", FILES, ids=TITLES)
def test_each_file_moves_exactly_the_people_it_should(replay: Replay, file: dict[str, Any]) -> None:
    report = replay.of(file)
    wanted: dict[str, Any] = {
        kind: refs if isinstance(refs, dict) else dict.fromkeys(refs, True)
        for kind, refs in file.get("movements", {}).items()
    }
    assert {str(kind): refs for kind, refs in report.movements.items()} == wanted
    for name, count in file.get("counts", {}).items():
        assert (
            dict(report.released_by_kind) if name == "released_by_kind" else report.counts[name]
        ) == count, name


@pytest.mark.scenario("T27/rules")
@pytest.mark.parametrize("file", FILES, ids=TITLES)
def test_each_file_reports_exactly_the_bad_cells(replay: Replay, file: dict[str, Any]) -> None:
    actual = [
        (
            error.sheet,
            error.row,
            error.column,
            error.field,
            error.reason.value,
            error.effect.value,
            error.raw,
        )
        for error in replay.of(file).row_errors
    ]
    wanted = [
        (
            row["sheet"] or "",
            row["row"],
            row["column"],
            row["field"],
            row["reason"],
            row["effect"],
            row.get("raw", ""),
        )
        for row in file.get("row_errors", [])
    ]
    assert sorted(actual) == sorted(wanted)


@pytest.mark.scenario("T2/import")
@pytest.mark.scenario("T26/import")
@pytest.mark.parametrize("file", FILES, ids=TITLES)
def test_each_file_opens_exactly_the_tasks_that_officers_decide(
    replay: Replay, file: dict[str, Any]
) -> None:
    actual = [json.dumps(item, sort_keys=True) for item in replay.of(file).tasks]
    assert sorted(actual) == sorted(
        json.dumps(item, sort_keys=True) for item in file.get("inbox", [])
    )


@pytest.mark.parametrize("day", EXPECTED["days"], ids=[day["date"] for day in EXPECTED["days"]])
def test_after_each_day_custody_is_what_the_files_show(replay: Replay, day: dict[str, Any]) -> None:
    for code, state in day["facilities"].items():
        actual = replay.custody[day["after_file"]][code]
        assert {name: actual[name] for name in ("open_stays", "absent", "missing")} == state[
            "import_state"
        ], code


def test_at_the_end_every_person_is_exactly_as_expected(replay: Replay) -> None:
    imports = replay.imports
    assert set(imports.by_source) == set(EXPECTED["final"])
    for ref, wanted in EXPECTED["final"].items():
        person = imports.people[imports.by_source[ref]]
        identity = imports.identities[person.id]
        details = {name: getattr(person, name) for name in DETAIL_FIELDS} | {
            "birth_date": identity.birth_date,
            "sex": identity.sex,
        }
        actual: dict[str, Any] = {
            "facility": person.open_stay.facility_id if person.open_stay else None,
            "state": str(person.state),
            "stays": len(person.stays),
            "nik_status": str(identity.nik_status),
            "fields": {name: str(value) if value else None for name, value in details.items()},
            "name_check": checked(normalise(identity.name).casefold()),
            "register_no_check": checked(normalise(identity.register_no)),
            "nik_last4": identity.nik_last4,
            "absence_kind": person.absence if person.state == "absent" else "",
            "missing_snapshots": person.missing_snapshots,
            "release_kind": person.release_kind,
            "merged_into": person.merged_into,
        }
        assert {
            name: value for name, value in actual.items() if value or name in wanted
        } == wanted, ref
