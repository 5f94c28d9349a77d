"""What services tell each other: every type has a reader, every reader understands every version ever sent, and the documents are those of the code."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from chassis.events import Aliased, Envelope, Inbound
from chassis.ids import utc_now
from ops.catalog import refusal, unread
from ops.docs import catalogue, rendered
from ops.home import ROOT
from tests.contracts.golden import GOLDEN, published, sample

FORBIDDEN = ("name", "nik", "register_no", "offence", "sentence", "birth_date", "perkara")
PARTS = catalogue()
READERS = [(part.service, kind, type_name) for part in PARTS for kinds in part.reads.values() for kind in kinds for type_name in (kind.type, *kind.upcasts)]
PUBLISHED = published()
RENDERED = rendered()


def golden(type_name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{type_name}.json").read_text(encoding="utf-8"))


def test_every_event_has_a_reader_and_every_reader_an_event() -> None:
    assert unread(PARTS) == []


def test_the_main_job_has_at_least_twenty_types() -> None:
    assert len(PUBLISHED) >= 20


@pytest.mark.parametrize("type_name", sorted(PUBLISHED))
def test_a_golden_sample_is_kept_and_the_schema_stays_compatible_with_it(type_name: str) -> None:
    assert (GOLDEN / f"{type_name}.json").exists(), f"{type_name}: write its golden sample with `python -m tests.contracts.golden` and commit it"
    refused = refusal(type_name, golden(type_name)["schema"], PUBLISHED[type_name].model_json_schema())
    assert not refused, refused


def test_a_golden_sample_is_never_changed_nor_removed() -> None:
    folder = ["--", f"{GOLDEN.relative_to(ROOT)}/*.json"]
    for command in (["log", "--format=", "--name-only", "--no-renames", "--diff-filter=MD"], ["diff", "HEAD", "--name-only", "--no-renames", "--diff-filter=MD"]):
        changed = subprocess.run(["git", *command, *folder], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - git of the checkout
        assert changed.split() == [], "a golden sample is what has been sent: put it back, and add a new version beside it"


def test_golden_samples_of_types_that_are_gone_are_still_read_or_marked_so() -> None:
    read = {type_name for _, _, type_name in READERS}
    assert {file.stem for file in GOLDEN.glob("*.json")} <= PUBLISHED.keys() | read


@pytest.mark.parametrize(("service", "kind", "type_name"), READERS, ids=[f"{service}-{type_name}" for service, _, type_name in READERS])
def test_a_readers_own_copy_reads_the_golden_sample(service: str, kind: type[Inbound], type_name: str) -> None:
    body = json.dumps(golden(type_name)["sample"]).encode()
    envelope = Envelope(id=service, type=type_name, source="bina/golden", key="k", time=utc_now(), sequence=1)
    assert kind.read(body, envelope).meta.type == type_name


@pytest.mark.parametrize("type_name", sorted(PUBLISHED))
def test_an_event_carries_no_field_that_could_name_a_person(type_name: str) -> None:
    fields = {
        field
        for schema in (PUBLISHED[type_name].model_json_schema(), *PUBLISHED[type_name].model_json_schema().get("$defs", {}).values())
        for field in schema.get("properties", {})
    }
    assert not fields & set(FORBIDDEN)


def test_certification_never_tells_where_a_certificate_comes_from() -> None:
    for type_name, event in PUBLISHED.items():
        if type_name.startswith("certification."):
            assert "facility_id" not in event.model_fields


def test_references_to_people_are_resolved_through_aliases_by_every_reader() -> None:
    for service, kind, type_name in READERS:
        field = kind.model_fields.get("participant_ref")
        assert field is None or type_name.endswith("participant-merged.v1") or any(isinstance(mark, Aliased) for mark in field.metadata), f"{service}: {type_name}"


@pytest.mark.parametrize("file", list(RENDERED), ids=lambda file: file.name)
def test_the_generated_documents_are_those_of_the_code(file: Any) -> None:
    assert file.read_text(encoding="utf-8") == RENDERED[file], f"{file.name} differs from what it is made of: run ./bina docs and commit"


def test_a_sample_is_a_value_of_its_schema() -> None:
    for event in PUBLISHED.values():
        event.model_validate(sample(event.model_json_schema()))
