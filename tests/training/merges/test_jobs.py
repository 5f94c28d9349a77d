"""The job that merges records with one NIK and birth date."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from chassis.ids import new_id
from services.training.merges.jobs import merge_same_niks
from tests.fakes import AsgiClient
from tests.training import factories


async def read_identity(client: AsgiClient, ref: str) -> dict[str, Any]:
    identity = await factories.database(client).find_one("identities", {"_id": ref})
    assert identity
    return identity


def new_nik() -> str:
    """Return a NIK with a random serial, which no other test has."""
    return f"99030145039{int.from_bytes(os.urandom(4)) % 89_999 + 10_000}"


async def test_records_with_one_nik_and_birth_date_are_merged_a_day_later(
    service: AsgiClient,
) -> None:
    person = new_id()
    again = new_id()
    nik = new_nik()
    facility = await factories.create_harness(
        service, {person: {"NIK": nik, "JK": "P"}, **{new_id(): {} for _ in range(12)}}
    )
    await facility.list_again(
        **{person: {"Ket. Keluar": "BM", "Tanggal Keluar": f"{facility.taken_at:%d/%m/%Y}"}}
    )
    received = f"{facility.taken_at + timedelta(days=1):%d/%m/%Y}"
    await facility.list_again(**{again: {"NIK": nik, "JK": "P", "Tanggal Masuk": received}})
    database = factories.database(service)
    assert await database.count("merge_candidates", {"facility_id": facility.facility_id}) == 1
    assert not await factories.list_all(
        facility.officer, "/v1/training-tasks", kind="MERGE_PROPOSAL"
    )
    while await merge_same_niks(factories.runner(service)):
        pass
    survivor = (await facility.officer.get(f"/v1/participants/{facility.refs[again]}")).json()
    assert (survivor["participant_ref"], survivor["state"], len(survivor["stays"])) == (
        facility.refs[person],
        "held",
        2,
    )
    assert (await read_identity(service, facility.refs[person]))["nik_status"] == "present"
    listed = await facility.list_again(**{again: {"Keberadaan": "RS"}})
    assert listed["counts"] == {"absent": 1}
    assert (await facility.officer.get(f"/v1/participants/{facility.refs[person]}")).json()[
        "absence"
    ] == "hospital"
    assert await database.count("merge_candidates", {"facility_id": facility.facility_id}) == 0
