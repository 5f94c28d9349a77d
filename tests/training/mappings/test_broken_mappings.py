"""A mapping of the mapping file that cannot be used leaves only its facility out."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.ids import new_id
from services.training.mappings.jobs import report_broken
from services.training.mappings.rules import BrokenMapping, MappingFile, load_mappings
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.snapshot_files import SNAPSHOTS, snapshot_file


def load(tmp_path: Path, old: str, new: str) -> MappingFile:
    text = (SNAPSHOTS / "mappings.toml").read_text()
    assert old in text
    path = tmp_path / "mappings.toml"
    path.write_text(text.replace(old, new, 1))
    return load_mappings(path)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('"BM" = "free"', '"BM" = "bebsa"', "bebsa"),
        ('format = "csv"', 'format = "wps"', "wps"),
        ('date_formats = ["dd/mm/yyyy"]', 'date_formats = ["hari/bulan"]', "hari/bulan"),
        ('source_ref = "ID WBP"', 'sumber = "ID WBP"', "source_ref"),
        ("header_rows = [1]", "judul = [1]", "header_rows"),
    ],
)
def test_one_unknown_word_leaves_one_facility_out(
    tmp_path: Path, old: str, new: str, word: str
) -> None:
    mappings = load(tmp_path, old, new)
    assert set(mappings.broken) == {"LP-TJP"}
    assert len(mappings.usable) == 5
    assert word in str(mappings.broken["LP-TJP"])
    assert str(mappings.broken["LP-TJP"]).startswith("LP-TJP: ")


@pytest.mark.parametrize("file_format", ["ods", "xls"])
def test_formats_that_the_reader_has_are_usable(tmp_path: Path, file_format: str) -> None:
    assert not load(tmp_path, 'format = "xlsx"', f'format = "{file_format}"').broken


def test_a_file_that_is_no_toml_leaves_all_out_and_says_where(tmp_path: Path) -> None:
    mappings = load(tmp_path, "[common]", "[common")
    assert (mappings.usable, set(mappings.broken)) == ({}, {"*"})


async def test_the_facility_gets_a_task_and_its_uploads_say_why(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    facility_id = await factories.create_facility(
        service, factories.new_facility_id(), mapping="RUSAK"
    )
    engine = service.app.state.engine
    broken = MappingFile({}, {"RUSAK": BrokenMapping("RUSAK", "code", "bebsa")})
    repaired = engine.ports
    monkeypatch.setattr(engine, "ports", {**repaired, "file_mappings": broken})
    run = factories.runner(service)
    registry = factories.officer(service, facility_id, "registry_operator")
    for _ in range(2):
        await report_broken(run)
    [task] = await factories.list_all(registry, "/v1/training-tasks", kind="MAPPING_BROKEN")
    assert (task["state"], task["facts"]) == ("OPEN", {"setting": "code", "word": "bebsa"})
    refused = await registry.post(
        f"/v1/facilities/{facility_id}/snapshots",
        params={"taken_at": "2026-11-16T14:00:00+07:00"},
        content=snapshot_file(facility_id, {new_id(): {}}),
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "mapping_broken")
    assert refused.json()["word"] == "bebsa"
    monkeypatch.setattr(engine, "ports", repaired)
    await report_broken(run)
    [task] = await factories.list_all(registry, "/v1/training-tasks", kind="MAPPING_BROKEN")
    assert (task["state"], task["resolution"]) == ("RESOLVED", "repaired")
