"""Identities over HTTP: who may ask for what purpose, how numbers are kept, found while keys change, and never told outside."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from pydantic import SecretStr

from chassis.ids import new_id, utc_now
from services.training.app import create_app
from services.training.merges import usecases as merges
from services.training.settings import TrainingSettings
from services.training.vault import EncryptedField, FieldCipher, KeyUnknown
from tests.fakes import AsgiClient, Keys, running
from tests.training import factories
from tests.training.conftest import LOOKUP, MASTER
from tests.training.test_snapshots_wire import by_itself

NIK = "9903014503900042"


async def stored(client: AsgiClient, ref: str) -> dict[str, Any]:
    found = await factories.database(client).find_one("identities", {"_id": ref})
    assert found
    return found


def some_nik() -> str:
    """A number nobody else in the run has: a serial by chance."""
    return f"99030145039{int.from_bytes(os.urandom(4)) % 89_999 + 10_000}"


@pytest.mark.scenario("T27/lookup")
async def test_a_number_lies_encrypted_for_its_owner_alone_and_is_found_by_its_keyed_value(
    service: AsgiClient,
) -> None:
    p, nik = new_id(), some_nik()
    place = await factories.place(service, {p: {"NIK": nik, "JK": "P"}})
    identity = await stored(service, place.refs[p])
    assert nik not in json.dumps(identity, default=str)
    vault = FieldCipher([bytes.fromhex(MASTER)], [bytes.fromhex(LOOKUP)])
    sealed = EncryptedField(**identity["nik"])
    assert vault.decrypt(sealed, place.refs[p]) == nik
    with pytest.raises(InvalidTag):
        vault.decrypt(sealed, "somebody else")
    with pytest.raises(KeyUnknown):
        FieldCipher([b"x" * 32], [b"y" * 32]).decrypt(sealed, place.refs[p])
    assert identity["nik_lookup"] == vault.lookup(nik)
    question = {"nik": nik, "birth_date": "1990-03-05"}
    found = await service.asked_by(
        "certification", "POST", "/internal/person-matches", purpose="match-holder", json=question
    )
    assert found.json() == {"participant_ref": place.refs[p]}
    other_day = await service.asked_by(
        "certification",
        "POST",
        "/internal/person-matches",
        purpose="match-holder",
        json=question | {"birth_date": "1990-03-06"},
    )
    assert other_day.json() == {"participant_ref": None}


@pytest.mark.scenario("T27/lookup")
async def test_while_keys_change_people_are_found_under_the_old_and_the_new_one(
    settings: TrainingSettings, keys: Keys
) -> None:
    old, new, twin, nik, other = new_id(), new_id(), new_id(), some_nik(), some_nik()
    own = settings.model_copy(
        update={
            "mongo_url": SecretStr(
                settings.mongo_url.get_secret_value().replace(
                    "test_training_", "test_training_keys_"
                )
            ),
            "namespace": f"keys.{settings.namespace}",
        }
    )
    async with running(create_app(own), keys, "training") as client:
        place = await factories.place(
            client, {old: {"NIK": nik, "JK": "P"}, new_id(): {}, new_id(): {}}
        )
    former = {"former_master_key": own.master_key, "former_lookup_key": own.lookup_key}
    changed = own.model_copy(
        update=former | {"master_key": SecretStr("0c" * 32), "lookup_key": SecretStr("0d" * 32)}
    )
    app = create_app(changed)
    async with running(app, keys, "training") as client:
        place.client, place.officer = client, factories.officer(client, place.facility_id)
        done = await place.list_again(
            **{old: {"NIK": nik, "Kamar": "Z9"}, new: {"NIK": other, "JK": "P"}}
        )
        assert done["counts"] == {"admitted": 1, "details_changed": 1, "release_planned": 1}
        assert (await stored(client, place.refs[old]))["nik_lookup_key"] != (
            await stored(client, place.refs[new])
        )["nik_lookup_key"]
        for ref, digits in ((old, nik), (new, other)):
            question = {"nik": digits, "birth_date": "1990-03-05"}
            found = await client.asked_by(
                "manpower",
                "POST",
                "/internal/person-matches",
                purpose="match-candidate",
                json=question,
            )
            assert found.json() == {"participant_ref": place.refs[ref]}
        await place.list_again(**{twin: {"NIK": nik, "JK": "P", "Tgl Lahir": "06/03/1990"}})
        (proposal,) = await factories.everything(
            place.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
        )
        assert proposal["facts"]["other_ref"] == place.refs[old]
    await factories.dropped(app)


async def test_a_name_is_told_for_a_stated_purpose_counted_and_noted(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    ref = place.refs[p]
    ask = {"refs": [ref, "nobody"]}
    told = await service.asked_by(
        "certification",
        "POST",
        "/internal/identities",
        purpose="print-certificate",
        on_behalf_of="officer-1",
        json=ask,
    )
    assert told.json() == {
        "items": [
            {"participant_ref": ref, "name": f"Uji {p}", "birth_date": "1990-03-05", "sex": "male"}
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


async def test_a_purpose_is_told_only_so_many_names_a_day(service: AsgiClient) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    day = f"manpower/refer-candidate/{utc_now().date()}"
    await factories.database(service).delete("name_quotas", {"_id": day})
    limit = service.app.state.service.settings.names_per_day
    ask = {"refs": [place.refs[p]]}
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


async def test_an_officer_sees_a_name_only_with_a_purpose_and_a_masked_number(
    service: AsgiClient,
) -> None:
    p, nik = new_id(), some_nik()
    place = await factories.place(service, {p: {"NIK": nik, "JK": "P"}})
    name = f"/v1/participants/{place.refs[p]}/identity"
    assert (await place.officer.get(name)).json()["field"] == "purpose"
    shown = (await place.officer.get(name, params={"purpose": "class-list"})).json()
    assert (shown["name"], shown["nik_masked"], shown["nik_status"]) == (
        f"Uji {p}",
        f"************{nik[-4:]}",
        "present",
    )
    stranger = factories.officer(service, "UPT-LAIN")
    assert (await stranger.get(name, params={"purpose": "class-list"})).status_code == 404
    (row,) = await factories.database(service).find(
        "audit", {"subject": place.refs[p], "action": "identity.shown"}
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
async def test_a_number_is_refused_warned_about_or_missing_and_the_person_is_admitted_all_the_same(
    service: AsgiClient, nik: str, reason: str | None, status: str, effect: str | None
) -> None:
    p = new_id()
    place = await factories.place(service, {p: {"NIK": nik, "JK": "P"}})
    assert (await stored(service, place.refs[p]))["nik_status"] == status
    registry = factories.officer(service, place.facility_id, "registry_operator")
    (snapshot,) = (await registry.get(f"/v1/facilities/{place.facility_id}/snapshots")).json()[
        "items"
    ]
    errors = await factories.everything(
        registry, f"/v1/snapshots/{snapshot['snapshot_id']}/row-errors"
    )
    assert [(error["reason"], error["effect"], error["raw"]) for error in errors] == (
        [(reason, effect, None)] if reason else []
    )


async def test_records_with_one_number_and_birth_date_become_one_after_the_days_imports(
    service: AsgiClient,
) -> None:
    p, again, nik = new_id(), new_id(), some_nik()
    place = await factories.place(
        service, {p: {"NIK": nik, "JK": "P"}, **{new_id(): {} for _ in range(12)}}
    )
    await place.list_again(
        **{p: {"Ket. Keluar": "BM", "Tanggal Keluar": f"{place.taken_at:%d/%m/%Y}"}}
    )
    received = f"{place.taken_at + timedelta(days=1):%d/%m/%Y}"
    await place.list_again(**{again: {"NIK": nik, "JK": "P", "Tanggal Masuk": received}})
    database = factories.database(service)
    assert await database.count("merge_candidates", {"facility_id": place.facility_id}) == 1
    assert not await factories.everything(
        place.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    while await merges.merge_same_niks(by_itself(service)):
        pass
    survivor = (await place.officer.get(f"/v1/participants/{place.refs[again]}")).json()
    assert (survivor["participant_ref"], survivor["state"], len(survivor["stays"])) == (
        place.refs[p],
        "held",
        2,
    )
    assert (await stored(service, place.refs[p]))["nik_status"] == "present"
    listed = await place.list_again(**{again: {"Keberadaan": "RS"}})
    assert listed["counts"] == {"absent": 1}
    assert (await place.officer.get(f"/v1/participants/{place.refs[p]}")).json()[
        "absence"
    ] == "hospital"
    assert await database.count("merge_candidates", {"facility_id": place.facility_id}) == 0
