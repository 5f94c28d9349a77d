"""Identities over HTTP: purposes, encrypted NIKs, key changes."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from chassis.ids import new_id, utc_now
from chassis.persistence.field_encryption import (
    EncryptedField,
    FieldCipher,
    FieldUnreadable,
    KeyRing,
    KeyUnknown,
    LookupKeys,
)
from tests.fakes import AsgiClient
from tests.training import factories
from tests.training.conftest import LOOKUP, MASTER


async def read_identity(client: AsgiClient, ref: str) -> dict[str, Any]:
    identity = await factories.database(client).find_one("identities", {"_id": ref})
    assert identity
    return identity


def new_nik() -> str:
    """Return a NIK with a random serial, which no other test has."""
    return f"99030145039{int.from_bytes(os.urandom(4)) % 89_999 + 10_000}"


@pytest.mark.scenario("T27/lookup")
async def test_a_nik_is_encrypted_for_its_owner_and_found_by_lookup(
    service: AsgiClient,
) -> None:
    person = new_id()
    nik = new_nik()
    facility = await factories.create_harness(service, {person: {"NIK": nik, "JK": "P"}})
    identity = await read_identity(service, facility.refs[person])
    assert nik not in json.dumps(identity, default=str)
    cipher = FieldCipher(KeyRing("master_key", bytes.fromhex(MASTER)))
    sealed = EncryptedField(**identity["nik"])
    assert cipher.decrypt(sealed, facility.refs[person]) == nik
    with pytest.raises(FieldUnreadable):
        cipher.decrypt(sealed, "somebody else")
    with pytest.raises(KeyUnknown):
        FieldCipher(KeyRing("master_key", b"x" * 32)).decrypt(sealed, facility.refs[person])
    lookup_keys = LookupKeys(KeyRing("lookup_key", bytes.fromhex(LOOKUP)))
    assert identity["nik_lookup"] == lookup_keys.value(nik)
    question = {"nik": nik, "birth_date": "1990-03-05"}
    match = await service.asked_by(
        "certification", "POST", "/internal/person-matches", purpose="match-holder", json=question
    )
    assert match.json() == {"participant_ref": facility.refs[person]}
    other_day = await service.asked_by(
        "certification",
        "POST",
        "/internal/person-matches",
        purpose="match-holder",
        json=question | {"birth_date": "1990-03-06"},
    )
    assert other_day.json() == {"participant_ref": None}


async def test_a_name_is_read_for_a_stated_purpose_and_audited(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    ref = facility.refs[person]
    ask = {"refs": [ref, "nobody"]}
    read = await service.asked_by(
        "certification",
        "POST",
        "/internal/identities",
        purpose="print-certificate",
        on_behalf_of="officer-1",
        json=ask,
    )
    assert read.json() == {
        "items": [
            {
                "participant_ref": ref,
                "name": f"Uji {person}",
                "birth_date": "1990-03-05",
                "sex": "male",
            }
        ]
    }
    rows = await factories.database(service).find(
        "audit", {"subject": ref, "action": "identity.told"}
    )
    assert [(row["asker"], row["purpose"], row["actor"], row["on_behalf_of"]) for row in rows] == [
        ("certification", "print-certificate", "service:certification", "officer-1")
    ]
    assert (
        await service.asked_by(
            "certification", "POST", "/internal/identities", purpose="curiosity", json=ask
        )
    ).status_code == 403
    assert (
        await service.asked_by(
            "marketplace", "POST", "/internal/identities", purpose="print-certificate", json=ask
        )
    ).status_code == 403
    assert (await service.post("/internal/identities", json=ask)).status_code == 401
    too_many = await service.asked_by(
        "certification",
        "POST",
        "/internal/identities",
        purpose="print-certificate",
        json={"refs": ["x"] * 501},
    )
    assert (too_many.status_code, too_many.json()["field"]) == (422, "refs")


async def test_a_purpose_reads_a_limited_number_of_names_a_day(service: AsgiClient) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    day = f"manpower/refer-candidate/{utc_now().date()}"
    await factories.database(service).delete("name_quotas", {"_id": day})
    limit = service.app.state.service.settings.names_per_day
    ask = {"refs": [facility.refs[person]]}
    assert (
        await service.asked_by(
            "manpower", "POST", "/internal/identities", purpose="refer-candidate", json=ask
        )
    ).status_code == 200
    await factories.database(service).update("name_quotas", {"_id": day}, {"$set": {"told": limit}})
    refused = await service.asked_by(
        "manpower", "POST", "/internal/identities", purpose="refer-candidate", json=ask
    )
    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (
        409,
        "name_limit_reached",
        limit,
    )
    assert (
        await service.asked_by(
            "manpower", "POST", "/internal/identities", purpose="nominate-candidate", json=ask
        )
    ).status_code == 200


async def test_an_officer_sees_a_name_with_a_purpose_and_a_masked_nik(
    service: AsgiClient,
) -> None:
    person = new_id()
    nik = new_nik()
    facility = await factories.create_harness(service, {person: {"NIK": nik, "JK": "P"}})
    path = f"/v1/participants/{facility.refs[person]}/identity"
    assert (await facility.officer.get(path)).json()["field"] == "purpose"
    shown = (await facility.officer.get(path, params={"purpose": "class-list"})).json()
    assert (shown["name"], shown["nik_masked"], shown["nik_status"]) == (
        f"Uji {person}",
        f"************{nik[-4:]}",
        "present",
    )
    stranger = factories.officer(service, "UPT-LAIN")
    assert (await stranger.get(path, params={"purpose": "class-list"})).status_code == 404
    (row,) = await factories.database(service).find(
        "audit", {"subject": facility.refs[person], "action": "identity.shown"}
    )
    assert (row["purpose"], row["role"]) == ("class-list", "training_officer")


@pytest.mark.parametrize(
    ("nik", "reason", "status", "effect"),
    [
        ("990301450390004", "NIK_LENGTH", "unverified", "field"),
        ("9903014513900042", "NIK_MONTH", "unverified", "field"),
        ("9903014503900000", "NIK_SERIAL", "unverified", "field"),
        ("9903014603900042", "NIK_BIRTH_DATE_DIFFERS", "present", "warning"),
        ("", None, "missing", None),
    ],
)
@pytest.mark.scenario("T27/lookup")
async def test_a_person_with_a_doubtful_nik_is_admitted_nevertheless(
    service: AsgiClient, nik: str, reason: str | None, status: str, effect: str | None
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, {person: {"NIK": nik, "JK": "P"}})
    assert (await read_identity(service, facility.refs[person]))["nik_status"] == status
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    (snapshot,) = (await registry.get(f"/v1/facilities/{facility.facility_id}/snapshots")).json()[
        "items"
    ]
    errors = await factories.list_all(
        registry, f"/v1/snapshots/{snapshot['snapshot_id']}/row-errors"
    )
    assert [(error["reason"], error["effect"], error["raw"]) for error in errors] == (
        [(reason, effect, None)] if reason else []
    )
