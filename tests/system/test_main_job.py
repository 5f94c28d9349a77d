"""The main job, end to end, through the gateway of a whole system.

Four services, a real Kafka, a real MongoDB.
"""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from ops.local import topology
from tests.installation import Installation, eventually

pytestmark = [pytest.mark.timeout(400)]
STEPS = 20


def played(system: Installation) -> dict[str, Any]:
    run = system.bina("demo", "--json")
    report = json.loads(run.stdout)
    assert [step["name"] for step in report["steps"] if not step["ok"]] == [], report["steps"][-1]
    assert run.returncode == 0
    return report


@pytest.fixture(scope="module")
def report(system: Installation) -> dict[str, Any]:
    return played(system)


def test_the_demo_carries_a_person_from_the_prisons_list_to_a_job(report: dict[str, Any]) -> None:
    assert len(report["steps"]) == STEPS
    facts = {step["name"]: step["facts"] for step in report["steps"]}
    assert facts["snapshot"]["admitted"] == facts["snapshot"]["rows"] == 380
    assert facts["verification"]["status"] == "valid"
    kinds = facts["placement"]["timeline"]
    wanted = [
        "training.participant-admitted",
        "training.participant-enrolled",
        "training.course-completed",
        "certification.certificate-issued",
        "manpower.placement-confirmed",
    ]
    assert [kind for kind in kinds if kind in wanted] == wanted


def test_the_split_of_an_order_is_exact_and_the_books_balance(report: dict[str, Any]) -> None:
    assert report["split"] == {
        "biaya_produksi": 40_000,
        "premi": 30_000,
        "pnbp": 9_000,
        "modal": 21_000,
    }
    assert report["books"]["debit"] == report["books"]["credit"] > 0


def test_each_border_refuses_one_thing(report: dict[str, Any]) -> None:
    refused = {one["what"]: one["answer"] for one in report["refused"]}
    assert refused["petugas Lapas lain melihat orang ini"] == 404
    assert refused["pemberitahuan bayar dengan tanda tangan salah"] == [400]
    assert refused["pembeli kedelapan atas tujuh barang"] == 409
    assert refused["sertifikat yang diubah satu kata"] == "invalid"


def test_it_can_be_played_again_on_the_same_data(
    system: Installation, report: dict[str, Any]
) -> None:
    again = played(system)
    assert again["certificate"]["certificate_id"] != report["certificate"]["certificate_id"]
    eventually(
        lambda: system.status()["outbox"]["unsent"] == 0
    )  # acknowledged rows are marked together, a moment later
    assert system.status()["parked"]["events"] == 0


def test_the_public_page_of_the_certificate_names_no_prison(
    system: Installation, report: dict[str, Any]
) -> None:
    # Our own address.
    with urllib.request.urlopen(report["certificate_url"]) as answer:  # noqa: S310
        page = answer.read().decode()
        headers = str(answer.headers)
    assert report["certificate"]["scheme_title"] in page
    words = (
        r"\b(lapas|rutan|lpka|bapas|narapidana|napi|wbp|warga "
        r"binaan|pemasyarakatan|penjara|tahanan|bina|pembinaan|tanjungpandan)\b"
    )
    assert re.search(words, page + headers, re.IGNORECASE) is None


def test_nothing_of_the_prisons_list_is_in_a_log(
    system: Installation, report: dict[str, Any]
) -> None:
    logs = system.bina("logs", "--json").stdout
    assert "PERKARARAHASIA" not in logs
    assert re.search(r"\b99\d{14}\b", logs) is None
    for line in logs.splitlines():
        json.loads(line)


def test_every_host_group_shows_its_own_document_and_page(system: Installation) -> None:
    base = system.port
    titles: set[str] = set()
    for offset, group in enumerate(topology.HOST_GROUPS):
        with urllib.request.urlopen(f"http://127.0.0.1:{base + offset}/openapi.json") as answer:
            document = json.load(answer)
        assert document["paths"], group
        titles.add(json.dumps(sorted(document["paths"])))
    assert len(titles) == len(topology.HOST_GROUPS)
