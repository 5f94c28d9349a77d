"""Lists are scanned for viruses before they are read, by both ways of upload."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.clamd_server import EICAR, ClamdServer, clamd
from tests.fakes import AsgiClient, Keys, eventually, running
from tests.training import factories
from tests.training.snapshots import tus_client

TAKEN_AT = "2026-11-16T14:00:00+07:00"
CLEAN = b"No;Nama\n1;Uji\n"
INFECTED = CLEAN + EICAR


@pytest.fixture(scope="module")
async def scanner() -> AsyncIterator[ClamdServer]:
    async with clamd() as server:
        yield server


@pytest.fixture(scope="module")
async def scanned(
    settings: TrainingSettings, keys: Keys, scanner: ClamdServer
) -> AsyncIterator[AsgiClient]:
    url = settings.mongo_url.get_secret_value()
    own = f"test_training_{uuid.uuid4().hex[:12]}"
    changed = settings.model_copy(
        update={
            "clamd": scanner.address,
            "mongo_url": type(settings.mongo_url)(url.replace(settings.namespace.rstrip("."), own)),
            "namespace": f"{own}.",
        }
    )
    app = create_app(changed)
    async with running(app, keys, "training") as client:
        yield client
    await factories.drop_database(app)


async def begun(service: AsgiClient, length: int) -> tuple[AsgiClient, str, str]:
    facility_id = await factories.create_facility(service, factories.new_facility_id())
    registry = factories.officer(service, facility_id, "registry_operator")
    path = await tus_client.begun(registry, facility_id, length, TAKEN_AT)
    return registry, facility_id, path


async def upload_at_once(registry: AsgiClient, facility_id: str, data: bytes) -> Any:
    return await registry.post(
        f"/v1/facilities/{facility_id}/snapshots", params={"taken_at": TAKEN_AT}, content=data
    )


async def test_an_infected_list_is_422_and_not_kept(scanned: AsgiClient) -> None:
    registry, facility_id, path = await begun(scanned, len(INFECTED))
    answer = await tus_client.send(registry, path, 0, INFECTED)
    assert (answer.status_code, answer.json()["code"]) == (422, "file_infected")
    assert (await registry.get(path)).status_code == 404
    database = factories.database(scanned)

    async def is_swept() -> bool:
        return not await database.count("files.chunks", {})

    await eventually(is_swept)
    at_once = await upload_at_once(registry, facility_id, INFECTED)
    assert (at_once.status_code, at_once.json()["code"]) == (422, "file_infected")
    assert await database.count("snapshots", {"facility_id": facility_id}) == 0


async def test_a_scanner_without_verdict_is_503_and_the_upload_goes_on(
    scanned: AsgiClient, scanner: ClamdServer
) -> None:
    registry, facility_id, path = await begun(scanned, len(CLEAN))
    await tus_client.send(registry, path, 0, CLEAN[:5])
    scanner.answer = b"stream: busy ERROR\0"
    try:
        answer = await tus_client.send(registry, path, 5, CLEAN[5:])
        at_once = await upload_at_once(registry, facility_id, CLEAN)
    finally:
        scanner.answer = b""
    assert (answer.status_code, answer.json()["code"]) == (503, "scanner_unavailable")
    assert answer.headers["retry-after"] == "30"
    assert at_once.status_code == 503
    assert await tus_client.offset_of(registry, path) == 5
    again = await tus_client.send(registry, path, 5, CLEAN[5:])
    assert again.status_code == 204, again.text
    assert scanner.scanned[-1] == CLEAN
    assert (await registry.get(path)).json()["snapshot"]["reason"] == "COLUMN_MISSING"
