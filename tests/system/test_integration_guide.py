"""The calls of docs/integrate.md, made as the page says, and the client that it offers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chassis.ids import new_id
from ops.demo.context import FACILITY, REGENCY
from ops.local.gateway_client import GatewayCaller, GatewayClient
from ops.local.state_dir import ROOT
from tests.installation import Installation, eventually

pytestmark = [pytest.mark.timeout(400)]
PURPOSE = "dinas_registration"
CLIENT = ROOT / "docs" / "examples" / "follow_feed.py"


async def approve(caller: GatewayCaller, path: str, shown: dict[str, Any]) -> None:
    await caller.post(f"{path}/approve", if_match=f'"{shown["version"]}"')


async def agree(officer: GatewayCaller, person: str, agency_id: str, now: datetime) -> None:
    """Record the consent of a person to be shown to the office."""
    texts = (await officer.get("/v1/consents/texts"))["items"]
    newest = {text["purpose"]: text["text_version_hash"] for text in texts}
    consent = {
        "candidate_id": person,
        "purpose": PURPOSE,
        "recipient": agency_id,
        "fields": ["name", "regency", "skills"],
        "text_version_hash": newest[PURPOSE],
        "given_at": (now - timedelta(seconds=1)).isoformat(),
        "witness_ref": "wali-01",
        "expires_at": (now + timedelta(days=30)).isoformat(),
    }
    await officer.post("/v1/consents", consent)


async def connect(client_id: str, person: str) -> tuple[str, str]:
    """Make calls 1 to 7 for a new office; return the partner address and the secret."""
    now = datetime.now(UTC)
    async with GatewayClient() as client:
        first = client.caller("administrator", subject="guide-1", facility=FACILITY)
        second = client.caller("administrator", subject="guide-2", facility=FACILITY)
        above = client.caller("administrator", subject="guide-4", facility="*")
        head = client.caller("head", subject="guide-3", facility=FACILITY)
        agency_id = f"dinas-{client_id}"
        agency = {
            "id": agency_id,
            "kind": "dinas_tk",
            "name": "Dinas Contoh",
            "facility_ids": [FACILITY],
            "regency_codes": [REGENCY],
            "purpose": "Penempatan kerja",
            "legal_basis": "Nota kesepahaman 01/2026",
        }
        registered = await first.post("/v1/agencies", agency)
        await approve(second, f"/v1/agencies/{agency_id}", registered)
        officer = client.caller("case_officer", facility=FACILITY)
        await agree(officer, person, agency_id, now)
        grant = {
            "role": "dinas_placement",
            "regency_codes": [REGENCY],
            "valid_from": (now - timedelta(minutes=1)).isoformat(),
            "valid_until": (now + timedelta(days=30)).isoformat(),
        }
        form = {
            "agency_id": agency_id,
            "kind": "system",
            "title": "SIAPkerja Belitung",
            "purpose": "umpan",
            "legal_basis": "Nota kesepahaman 01/2026",
            "grants": [grant],
        }
        consumer = await first.post("/v1/consumers", form)
        await approve(second, f"/v1/consumers/{consumer['id']}", consumer)
        system = {"home": "", "label": "SIAPkerja"}
        path = f"/v1/access/clients/{client_id}"
        await above.request_expecting("PUT", path, system)
        secret = await above.request_expecting("PUT", f"{path}/secrets/1")
        proposal = {
            "credential_ref": client_id,
            "valid_until": (now + timedelta(days=30)).isoformat(),
        }
        path = f"/v1/consumers/{consumer['id']}/credentials"
        proposed = await first.post(path, proposal)
        await approve(head, f"/v1/consumer-credentials/{proposed['id']}", proposed)
        return client.address_of("partner"), secret["client_secret"]


def test_a_dinas_follows_the_guide_and_receives_who_agreed(
    system: Installation, tmp_path: Path
) -> None:
    report = json.loads(system.bina("demo", "--json").stdout)
    facts = {step["name"]: step["facts"] for step in report["steps"]}
    person = facts["application"]["participant_ref"]
    client_id = f"siapkerja-{new_id()[-8:]}"
    with patch.dict(os.environ, system.env, clear=True):
        address, secret = asyncio.run(connect(client_id, person))
    copy = tmp_path / "copy.json"
    environment = os.environ | {
        "BINA": address,
        "CLIENT": client_id,
        "SECRET": secret,
        "COPY": str(copy),
    }

    def receives_a_person() -> bool:
        done = subprocess.run(
            [sys.executable, CLIENT, "1"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        people: dict[str, dict[str, str]]
        people = json.loads(copy.read_text())["people"] if copy.exists() else {}
        shown = people.get(f"candidate/{person}")
        return done.returncode == 0 and shown is not None and bool(shown.get("name"))

    eventually(receives_a_person)
