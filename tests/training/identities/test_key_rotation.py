"""The keys of identities are replaced: nobody is missed or doubled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from chassis.ids import new_id
from chassis.jobs import key_rotation
from chassis.jobs.key_rotation import KeysMissing
from chassis.persistence.mongo import Mongo
from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import AsgiClient, Keys, eventually, running
from tests.training import factories
from tests.training.conftest import LOOKUP, MASTER
from tests.training.identities.test_api import new_nik, read_identity
from tests.training.snapshots import tus_client

LEASE = {"_id": f"job/{key_rotation.JOB}"}
NEW_KEYS = {"master_key": SecretStr("0c" * 32), "lookup_key": SecretStr("0d" * 32)}
FORMER_KEYS = {"former_master_key": SecretStr(MASTER), "former_lookup_key": SecretStr(LOOKUP)}


def own_database(settings: TrainingSettings) -> TrainingSettings:
    url = settings.mongo_url.get_secret_value().replace("test_training_", "test_training_keys_")
    return settings.model_copy(
        update={"mongo_url": SecretStr(url), "namespace": f"keys.{settings.namespace}"}
    )


async def hold_rotation(settings: TrainingSettings) -> None:
    """Give the lease of the job to another replica."""
    life = create_app(settings).state.life
    held = {"holder": "another", "until": {"$add": ["$$NOW", 600_000]}}
    await life.db.update("leases", LEASE, [{"$set": held}], upsert=True)
    await life.db.close()


async def rotate(client: AsgiClient) -> None:
    """Let the job run, until nothing needs a former key."""
    life = client.app.state.life
    await life.db.update("leases", LEASE, [{"$set": {"holder": "", "until": "$$NOW"}}])

    async def is_rotated() -> bool:
        life.jobs[key_rotation.JOB].wake()
        rotation = (await life.status())["key_rotation"]
        return rotation["finished_at"] is not None and rotation["left"] == 0

    await eventually(is_rotated)


async def match(client: AsgiClient, nik: str) -> str | None:
    question = {"nik": nik, "birth_date": "1990-03-05"}
    answer = await client.asked_by(
        "manpower", "POST", "/internal/person-matches", purpose="match-candidate", json=question
    )
    return answer.json()["participant_ref"]


async def list_tasks(officer: AsgiClient, kind: str) -> list[dict[str, Any]]:
    return await factories.list_all(officer, "/v1/training-tasks", kind=kind)


async def refuse_start(settings: TrainingSettings) -> str:
    """Return why a start with these settings is refused."""
    life = create_app(settings).state.life
    try:
        with pytest.raises(KeysMissing) as refused:
            await life.prepare()
    finally:
        await life.db.close()
    return str(refused.value)


async def stored_key_ids(db: Mongo) -> set[str]:
    """Return the key ids that identities, chunks, raw cells and uploads name."""
    identities = [row for row in await db.find("identities", {}) if row["nik"]]
    return {
        *(row["nik"]["key_id"] for row in identities),
        *(row["nik_lookup_key"] for row in identities),
        *(row["sealed"]["key_id"] for row in await db.find("snapshot_chunks", {})),
        *(row["sealed"]["key_id"] for row in await db.find("raw_cells", {})),
        *(row["key"]["key_id"] for row in await db.find("uploads", {})),
    }


@pytest.mark.scenario("T27/lookup")
async def test_people_are_found_under_both_keys_during_a_key_change(
    settings: TrainingSettings, keys: Keys
) -> None:
    """Lists are imported before, during and after the rotation; then the old keys are removed."""
    old, new, twin, stopped = (new_id() for _ in range(4))
    nik = new_nik()
    other = new_nik()
    before = own_database(settings)
    async with running(create_app(before), keys, "training") as client:
        facility = await factories.create_harness(
            client, {old: {"NIK": nik, "JK": "P"}, stopped: {}, new_id(): {}}
        )
        await facility.list_again(**{stopped: {"Keberadaan": "Dititip"}})
        registry = factories.officer(client, facility.facility_id, "registry_operator")
        taken_at = "2026-11-16T23:00:00+07:00"
        upload = await tus_client.begun(registry, facility.facility_id, 9_000, taken_at)
        await tus_client.send(registry, upload, 0, b"NIK;Nama" * 100)
        old_ids = await stored_key_ids(factories.database(client))
    rotating = before.model_copy(update=NEW_KEYS | FORMER_KEYS)
    after = before.model_copy(update=NEW_KEYS)
    said = await refuse_start(after)
    assert "training_former_lookup_key" in said
    assert "1 stored values need the key" in said
    assert "1 in uploads" in said

    await hold_rotation(rotating)
    app = create_app(rotating)
    async with running(app, keys, "training") as client:
        facility.client, facility.officer = client, factories.officer(client, facility.facility_id)
        done = await facility.list_again(
            **{
                old: {"NIK": nik, "Kamar": "Z9"},
                new: {"NIK": other, "JK": "P"},
                stopped: {"Keberadaan": "Dititip"},
            }
        )
        assert done["counts"] == {"admitted": 1, "details_changed": 1, "release_planned": 1}
        assert len(await list_tasks(facility.officer, "ROW_STOPPED")) == 1
        assert (await read_identity(client, facility.refs[old]))["nik_lookup_key"] in old_ids
        assert (await read_identity(client, facility.refs[new]))["nik_lookup_key"] not in old_ids
        for ref, digits in ((old, nik), (new, other)):
            assert await match(client, digits) == facility.refs[ref]
        await facility.list_again(**{twin: {"NIK": nik, "JK": "P", "Tgl Lahir": "06/03/1990"}})
        (proposal,) = await list_tasks(facility.officer, "MERGE_PROPOSAL")
        assert proposal["facts"]["other_ref"] == facility.refs[old]
        await rotate(client)
        for ref, digits in ((old, nik), (new, other)):
            assert await match(client, digits) == facility.refs[ref]
        assert (await facility.list_again())["counts"] == {}
        assert len(await list_tasks(facility.officer, "MERGE_PROPOSAL")) == 1
        database = factories.database(client)
        assert await database.count("snapshot_chunks", {}) > 0
        assert (await stored_key_ids(database)).isdisjoint(old_ids)
        rows = await database.find("audit", {"action": "keys.rotated"})
        assert {row["subject"] for row in rows} >= {"identities", "uploads"}
        assert nik not in json.dumps(rows, default=str)

    app = create_app(after)
    async with running(app, keys, "training") as client:
        assert await match(client, nik) == facility.refs[old]
        registry = factories.officer(client, facility.facility_id, "registry_operator")
        sent = await tus_client.send(registry, upload, 800, b"NIK;Nama" * 100)
        assert sent.status_code == 204, sent.text
    await factories.drop_database(app)
