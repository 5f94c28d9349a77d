"""Searches and exports of a running system's audit, and the detection of changed exports."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.local import platform_checks
from ops.local.topology import PROCESSES
from tests.changed_archive import copy_changed
from tests.installation import Installation, eventually
from tests.system.operator import REASON, Operator

pytestmark = [pytest.mark.timeout(400)]
LOOKS = 6


@pytest.fixture(scope="module")
def operator(system: Installation) -> Operator:
    """Return an operator whose reads of parked events are sealed in training's audit."""
    operator = Operator(system)
    for done in range(0, LOOKS, 2):  # two rows in each block
        for _ in range(2):
            assert operator.ask("operator", "GET", "/v1/operations/training/parked")[0] == 200
        eventually(
            lambda done=done: sum(row["block"] is not None for row in looks(operator)) >= done + 2
        )
    return operator


def looks(operator: Operator) -> list[dict[str, Any]]:
    report = operator.bina(
        "audit",
        "search",
        "--service",
        "training",
        "--reason",
        REASON,
        "--from",
        "2026-01-01T00:00+07:00",
        "--limit",
        "5000",
    )
    return [row for row in report["rows"] if row["action"] == "parked.listed"]


@pytest.fixture(scope="module")
def exported(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the audit of training and of the gateway."""
    file = tmp_path_factory.mktemp("export") / "audit.zip"
    report = operator.bina(
        "audit",
        "export",
        "--out",
        str(file),
        "--reason",
        REASON,
        "--service",
        "training",
    )
    assert (report["whole"], report["services"]["training"]["findings"]) == (True, 0)
    assert report["services"]["training"]["rows"] >= LOOKS
    assert checked(file, report["fingerprint"])[0] == 0
    return file


def checked(file: Path, *fingerprint: str) -> tuple[int, str]:
    """Run the export's own verifier in isolation; return its exit code and output."""
    directory = file.parent / f"{file.stem}-verifier"
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(file) as archive:
        (directory / "verify.py").write_bytes(archive.read("verify.py"))
    run = subprocess.run(
        [sys.executable, "-I", "-S", directory / "verify.py", file, *fingerprint],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return run.returncode, run.stdout


def tampered(file: Path, to: Path, name: str, change: Callable[[list[str]], list[str]]) -> Path:
    """Write a copy of the export in which `change` has changed the lines of one file."""
    copy_changed(file, to, name, change)
    return to


def id_of(file: Path, number: int) -> str:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("training/rows.jsonl").splitlines()[number])["_id"]


def test_the_verifier_of_an_export_names_each_changed_row(exported: Path, tmp_path: Path) -> None:
    rows = "training/rows.jsonl"
    first = id_of(exported, 0)
    second = id_of(exported, 1)
    changes: dict[str, tuple[str, Callable[[list[str]], list[str]]]] = {
        "altered": (
            f"baris {first} diubah / row altered",
            lambda lines: [lines[0].replace('"role":"', '"role":"x'), *lines[1:]],
        ),
        "removed": (f"baris {first} dihapus / row removed", lambda lines: lines[1:]),
        "reordered": (
            f"baris {second} pindah tempat / row reordered",
            lambda lines: [lines[1], lines[0], *lines[2:]],
        ),
        "added": (
            "baris forged ditambahkan / row added",
            lambda lines: [*lines, '{"_id":"forged"}\n'],
        ),
        "cut": (f"baris {id_of(exported, -1)} dihapus / row removed", lambda lines: lines[:-1]),
    }
    for name, (words, change) in changes.items():
        code, report = checked(tampered(exported, tmp_path / f"{name}.zip", rows, change))
        assert (code, words in report) == (1, True), (name, report)
        assert "training/rows.jsonl: berkas diubah / file changed" in report


def test_a_changed_block_anchor_or_manifest_breaks_the_proof(
    exported: Path, tmp_path: Path
) -> None:
    code, report = checked(
        tampered(
            exported,
            tmp_path / "blocks.zip",
            "training/blocks.jsonl",
            lambda lines: lines[:1] + lines[2:],
        )
    )
    assert (code, "tidak menyambung / block" in report) == (1, True), report
    code, report = checked(
        tampered(
            exported,
            tmp_path / "anchors.zip",
            "training/anchors.jsonl",
            lambda lines: [lines[0].replace('"rows": ', '"rows": 1'), *lines[1:]],
        )
    )
    assert (code, "berbeda dari jangkarnya" in report) == (1, True), report
    code, report = checked(
        tampered(
            exported,
            tmp_path / "manifest.zip",
            "manifest.json",
            lambda lines: [line.replace("12/2026", "13/2026") for line in lines],
        )
    )
    assert (code, "tanda tangan tidak cocok" in report) == (1, True), report
    code, report = checked(exported, "00" * 32)
    assert (code, "ditandatangani kunci lain" in report) == (1, True), report


def test_an_export_holds_no_key_and_states_its_purpose(exported: Path, operator: Operator) -> None:
    with zipfile.ZipFile(exported) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert json.loads(archive.read("manifest.json"))["reason"] == "surat tugas 12/2026"
    for file in (operator.system.home / "secrets").glob("*/*_key"):
        assert file.read_bytes() not in content
    assert exported.stat().st_mode & 0o077 == 0
    noted = operator.bina(
        "audit", "search", "--service", "training", "--reason", REASON, "--limit", "5000"
    )["rows"]
    assert [row["purpose"] for row in noted if row["action"] == "audit.exported"] == [
        "surat tugas 12/2026"
    ]
    assert "sudah ada" in operator.refused(
        "audit", "export", "--out", str(exported), "--reason", REASON
    )


def test_a_search_covers_all_services_by_actor_and_time(operator: Operator) -> None:
    [actor] = {row["actor"] for row in looks(operator)}
    report = operator.bina(
        "audit", "search", "--actor", actor, "--reason", REASON, "--limit", "5000"
    )["rows"]
    assert len([row for row in report if row["action"] == "parked.listed"]) >= LOOKS
    assert {row["actor"] for row in report} == {actor}
    assert operator.bina(
        "audit", "search", "--actor", actor, "--to", "2026-01-01T00:00+07:00", "--reason", REASON
    ) == {"rows": [], "more": False}
    every = operator.bina("audit", "search", "--reason", REASON, "--limit", "10000")["rows"]
    assert {row["service"] for row in every} == {
        service.name for service in PROCESSES
    }  # each audit also has the searches themselves
    assert operator.bina("audit", "search", "--reason", REASON, "--limit", "1")["more"] is True
    assert operator.said("audit", "search", "--actor", actor, "--reason", REASON)[0] == 0


def test_an_auditor_searches_through_the_gateway_and_nobody_else(operator: Operator) -> None:
    for service in PROCESSES:
        path = f"/v1/operations/{service.name}/audit"
        assert operator.ask("auditor", "GET", path, facility="*")[0] == 200
        assert operator.ask("operator", "GET", path)[0] == 403
    status, report = operator.ask(
        "auditor", "GET", "/v1/operations/training/audit?limit=500", facility="*"
    )
    assert (
        status,
        [row["action"] for row in report["items"] if row["action"] == "parked.listed"] != [],
    ) == (200, True)
    assert (
        operator.ask("auditor", "GET", "/v1/operations/training/audit", facility="LP-XXX")[1][
            "items"
        ]
        == []
    )


def test_an_export_through_the_gateway_verifies_by_itself(
    operator: Operator, tmp_path: Path
) -> None:
    paper = operator.bina("audit", "fingerprints")["fingerprints"]
    for service in PROCESSES:
        status, content = taken(
            operator, "auditor", service.name, {"access-reason": "surat tugas 12/2026"}
        )
        assert status == 200, content
        (file := tmp_path / f"{service.name}.zip").write_bytes(content)
        assert checked(file, paper[service.name])[0] == 0
        assert checked(file, paper["gateway" if service.name == "training" else "training"])[0] == 1
    report = {
        service.name: operator.bina(
            "audit", "search", "--service", service.name, "--reason", REASON, "--limit", "5000"
        )["rows"]
        for service in PROCESSES
    }
    for rows in report.values():
        assert [
            row["purpose"]
            for row in rows
            if row["action"] == "audit.exported" and row["role"] == "auditor"
        ] == ["surat tugas 12/2026"]


def test_an_export_is_for_auditors_and_whole_only_with_a_reason(
    operator: Operator,
) -> None:
    assert (
        taken(operator, "operator", "training", {"access-reason": "surat tugas 12/2026"})[0] == 403
    )
    status, problem = taken(operator, "auditor", "training", {"access-reason": "kurang"})
    assert (
        status,
        json.loads(problem)["field"],
        json.loads(problem)["title"].startswith("Sebutkan"),
    ) == (422, "access-reason", True)
    for headers, texts in (({}, "hidden"), ({"access-reason": "surat tugas 12/2026"}, "whole")):
        status, content = taken(operator, "auditor", "training", headers)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert (status, json.loads(archive.read("manifest.json"))["texts"]) == (200, texts)


def taken(
    operator: Operator, role: str, service: str, headers: dict[str, str]
) -> tuple[int, bytes]:
    """Request an export from the staff host."""
    token = operator.said("token", "--role", role, "--claim", "facility=*")[1].strip()
    address = (
        f"http://{platform_checks.LOOPBACK}:{operator.system.port}/v1/operations/{service}/"
        "audit/export"
    )
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, headers=headers | {"authorization": f"Bearer {token}"})
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
