"""Events between services.

Every type has a consumer, every consumer understands every version ever sent, and the documents
are generated from the code.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chassis.ids import utc_now
from chassis.messaging.events import Aliased, Envelope, Inbound
from ops.docs.event_catalog import find_unread
from ops.docs.generate import ASYNCAPI, EVENTS, read_catalogue, render_documents
from ops.docs.schema_changes import explain_breaking_changes
from ops.local import topology
from ops.local.state_dir import ROOT
from tests.contracts.golden import GOLDEN, published, sample, variants

FORBIDDEN = ("name", "nik", "register_no", "offence", "sentence", "birth_date", "perkara")
PARTS = read_catalogue()
READERS = [
    (part.service, kind, type_name)
    for part in PARTS
    for kinds in part.consumed.values()
    for kind in kinds
    for type_name in (kind.type, *kind.upcasts)
]
PUBLISHED = published()
RENDERED = render_documents()


def golden(type_name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{type_name}.json").read_text(encoding="utf-8"))


def test_every_event_has_a_reader_and_every_reader_an_event() -> None:
    assert find_unread(PARTS) == []


def test_the_catalogue_has_every_topic_and_the_anchors_of_its_audit() -> None:
    assert {part.topic for part in PARTS} == {process.topic for process in topology.PROCESSES}
    anchors = {f"{process.name}.audit-sealed.v1" for process in topology.PROCESSES}
    assert {name for name in PUBLISHED if "audit-sealed" in name} == anchors
    channels = json.loads(RENDERED[ASYNCAPI])["channels"]
    assert channels["gateway.events"]["messages"].keys() == {"gateway.audit-sealed.v1"}
    section = RENDERED[EVENTS].partition("## gateway.audit-sealed.v1\n")[2].partition("\n## ")[0]
    assert "Key: `chain`. Read by: `audit verify`." in section


def test_the_main_job_has_at_least_twenty_types() -> None:
    assert len(PUBLISHED) >= 20


@pytest.mark.parametrize("type_name", sorted(PUBLISHED))
def test_a_golden_sample_is_kept_and_the_schema_stays_compatible_with_it(type_name: str) -> None:
    assert (GOLDEN / f"{type_name}.json").exists(), (
        f"{type_name}: write its golden sample with"
        " `python -m tests.contracts.golden` and commit it"
    )
    refused = explain_breaking_changes(
        type_name, golden(type_name)["schema"], PUBLISHED[type_name].model_json_schema()
    )
    assert not refused, refused


def touched(repository: Path, files: str) -> set[str]:
    """Return the files that were changed, removed or replaced after they were added.

    Commits, also merges, and uncommitted changes count.
    """
    what = ("--name-only", "--no-renames", "--diff-filter=MDT", "--", files)
    return set(git(repository, "log", "-m", "--format=", *what).split()) | set(
        git(repository, "diff", "HEAD", *what).split()
    )


def git(repository: Path, *command: str) -> str:
    return subprocess.run(
        ["git", *command],  # noqa: S607 - git of the checkout
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_golden_sample_is_never_changed_nor_removed() -> None:
    assert touched(ROOT, f"{GOLDEN.relative_to(ROOT)}/*.json") == set(), (
        "a golden sample is what has been sent: put it back, and add a new version beside it"
    )


def test_a_golden_sample_that_was_changed_or_removed_is_named(
    tmp_path: Path,
) -> None:
    def commit() -> None:
        git(tmp_path, "add", "--all")
        git(
            tmp_path,
            *(
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.org",
                "commit",
                "--quiet",
                "--allow-empty",
                "--message=t",
            ),
        )

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.json").write_text(text)

    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in ("kept", "edited", "removed", "unsaved", "merged", "linked", "put back"):
        write(name, name)
    commit()
    write("edited", "other")
    (tmp_path / "removed.json").unlink()
    (tmp_path / "put back.json").rename(tmp_path / "moved.json")
    commit()
    (tmp_path / "moved.json").rename(tmp_path / "put back.json")
    (tmp_path / "linked.json").unlink()
    (tmp_path / "linked.json").symlink_to("kept.json")
    commit()
    git(tmp_path, "checkout", "--quiet", "-b", "side", "HEAD~1")
    write("new", "new")
    commit()
    git(
        tmp_path,
        *(
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "merge",
            "--quiet",
            "--no-commit",
            "main",
        ),
    )
    write("merged", "by the merge alone")
    commit()
    write("unsaved", "other")
    found = touched(tmp_path, "*.json")
    assert {name.strip('"').removesuffix(".json") for name in found} == {
        "edited",
        "removed",
        "unsaved",
        "merged",
        "linked",
        "moved",
    } | {"back", "put"}


def test_golden_samples_of_types_that_are_gone_are_still_read_or_marked_so() -> None:
    read = {type_name for _, _, type_name in READERS}
    assert {file.stem for file in GOLDEN.glob("*.json")} <= PUBLISHED.keys() | read


@pytest.mark.parametrize(
    ("service", "kind", "type_name"),
    READERS,
    ids=[f"{service}-{type_name}" for service, _, type_name in READERS],
)
def test_a_readers_own_copy_reads_the_golden_sample(
    service: str, kind: type[Inbound], type_name: str
) -> None:
    body = json.dumps(golden(type_name)["sample"]).encode()
    envelope = Envelope(
        id=service, type=type_name, source="bina/golden", key="k", time=utc_now(), sequence=1
    )
    assert kind.read(body, envelope).meta.type == type_name


@pytest.mark.parametrize(
    ("service", "kind", "type_name"),
    READERS,
    ids=[f"{service}-{type_name}" for service, _, type_name in READERS],
)
def test_a_readers_own_copy_reads_whatever_its_producer_may_tell(
    service: str, kind: type[Inbound], type_name: str
) -> None:
    envelope = Envelope(
        id=service, type=type_name, source="bina/golden", key="k", time=utc_now(), sequence=1
    )
    report = 0
    for body in variants((event := PUBLISHED[type_name]).model_json_schema()):
        with suppress(ValidationError):
            kind.read(event.model_validate(body).model_dump_json().encode(), envelope)
            report += 1
    assert report >= len(event.model_fields)


@pytest.mark.parametrize("type_name", sorted(PUBLISHED))
def test_an_event_carries_no_field_that_could_name_a_person(type_name: str) -> None:
    fields = {
        field
        for schema in (
            PUBLISHED[type_name].model_json_schema(),
            *PUBLISHED[type_name].model_json_schema().get("$defs", {}).values(),
        )
        for field in schema.get("properties", {})
    }
    assert not fields & set(FORBIDDEN)


def test_certification_never_names_where_a_certificate_comes_from() -> None:
    for type_name, event in PUBLISHED.items():
        if type_name.startswith("certification."):
            assert "facility_id" not in event.model_fields


def test_references_to_people_are_resolved_through_aliases_by_every_reader() -> None:
    for service, kind, type_name in READERS:
        field = kind.model_fields.get("participant_ref")
        assert (
            field is None
            or type_name.endswith("participant-merged.v1")
            or any(isinstance(mark, Aliased) for mark in field.metadata)
        ), f"{service}: {type_name}"


@pytest.mark.parametrize("file", list(RENDERED), ids=lambda file: file.name)
def test_the_generated_documents_are_those_of_the_code(file: Any) -> None:
    assert file.read_text(encoding="utf-8") == RENDERED[file], (
        f"{file.name} differs from what it is made of: run ./bina docs and commit"
    )


def test_a_sample_is_a_value_of_its_schema() -> None:
    for event in PUBLISHED.values():
        event.model_validate(sample(event.model_json_schema()))
