"""Uploads are stored in encrypted parts, taken once, and swept; with both drivers."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from chassis.app import database_setup
from chassis.errors import Busy
from chassis.files import uploads
from chassis.files.encryption import FileKeys, PartUnreadable
from chassis.files.media_types import FileTypeDiffers
from chassis.files.parts import Parts
from chassis.files.upload_rules import (
    GRACE,
    LIFETIME,
    PART_BYTES,
    BeyondLength,
    OffsetDiffers,
    UploadState,
    UploadUnknown,
)
from chassis.files.upload_store import UploadTransaction
from chassis.files.uploads import UploadSlots
from chassis.persistence import mongo
from chassis.persistence.field_encryption import KeyRing
from chassis.persistence.mongo import Mongo
from tests.chassis.files.upload_shop import KEYS, Shop
from tests.database_pool import databases_of
from tests.fakes import Keys

databases, database = databases_of(UploadTransaction)


@pytest.fixture(params=["motor", "pymongo"])
async def shop(
    request: pytest.FixtureRequest, mongo_url: str, database: str, tmp_path: Path
) -> AsyncIterator[Shop]:
    url = Keys(tmp_path, {"shop": ""}).settings(
        "shop", mongo_url=mongo_url, database=database, kafka=""
    )["mongo_url"]
    db = Mongo(url, database, request.param)
    await database_setup.prepare(db, UploadTransaction)
    yield Shop(db)
    await db.delete("files.files", {})
    await db.delete("files.chunks", {})
    await db.close()


def text_of(length: int) -> bytes:
    """Return text in which no part equals another."""
    lines = (
        f"{number:012},{hashlib.sha256(bytes([number % 251])).hexdigest()}\n".encode()
        for number in range(length // 70 + 1)
    )
    return b"".join(lines)[:length]


async def test_a_file_in_odd_pieces_is_taken_with_its_hash_and_type(shop: Shop) -> None:
    data = text_of(3 * PART_BYTES + 17)
    upload = await shop.begin(len(data))
    cuts = [0, 1, 700_000, 700_001, 2 * PART_BYTES, len(data)]
    for start, end in itertools.pairwise(cuts):
        upload = await shop.send(upload, start, data[start:end])
        assert upload.offset_bytes == end
    assert shop.taken[upload.id] == data
    assert (upload.state, upload.sha256, upload.media_type, upload.result_id) == (
        UploadState.COMPLETE,
        hashlib.sha256(data).hexdigest(),
        "text/csv",
        f"result-{upload.id}",
    )


async def test_small_pieces_fill_parts_of_one_size(shop: Shop) -> None:
    data = text_of(PART_BYTES + 100_000)
    upload = await shop.begin(len(data) + 1)
    for start in range(0, len(data), 50_000):
        upload = await shop.send(upload, start, data[start : start + 50_000])
    assert [part.size_bytes for part in upload.parts] == [PART_BYTES, 100_000]
    assert len(await shop.parts_of(upload)) == 2


async def test_bytes_that_came_before_the_client_left_are_kept(shop: Shop) -> None:
    data = text_of(PART_BYTES + 1000)
    upload = await shop.begin(len(data) + 1)

    async def cut_off() -> AsyncGenerator[bytes]:
        yield data
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        await shop.send_stream(upload, 0, cut_off())
    assert (await shop.find(upload)).offset_bytes == len(data)


async def test_a_part_is_committed_while_the_request_goes_on(shop: Shop) -> None:
    data = text_of(2 * PART_BYTES)
    upload = await shop.begin(len(data))
    seen: list[int] = []

    async def watched() -> AsyncGenerator[bytes]:
        yield data[: PART_BYTES + 1]
        seen.append((await shop.find(upload)).offset_bytes)
        yield data[PART_BYTES + 1 :]

    upload = await shop.send_stream(upload, 0, watched())
    assert seen == [PART_BYTES]
    assert shop.taken[upload.id] == data


async def test_the_loser_of_two_requests_leaves_no_part(shop: Shop) -> None:
    upload = await shop.begin(1000)

    async def overtaken() -> AsyncGenerator[bytes]:
        await shop.send(upload, 0, b"a" * 10)
        yield b"b" * 20

    with pytest.raises(OffsetDiffers) as differs:
        await shop.send_stream(upload, 0, overtaken())
    assert differs.value.facts == {"offset": 10}
    assert len(await shop.parts_of(upload)) == 1


async def test_requests_beyond_the_slots_are_busy(shop: Shop) -> None:
    shop.slots = UploadSlots(1)
    upload = await shop.begin(100)
    other = await shop.begin(100)

    async def slow() -> AsyncGenerator[bytes]:
        with pytest.raises(Busy):
            await shop.send(other, 0, b"b" * 10)
        yield b"a" * 10

    await shop.send_stream(upload, 0, slow())
    assert (await shop.send(other, 0, b"b" * 10)).offset_bytes == 10


async def test_bytes_beyond_the_length_are_refused(shop: Shop) -> None:
    upload = await shop.begin(10)
    with pytest.raises(BeyondLength):
        await shop.send(upload, 0, b"a" * 6, b"b" * 6)
    upload = await shop.send(upload, 0, b"a" * 10)
    with pytest.raises(BeyondLength):
        await shop.send(upload, 10, b"c")


async def test_a_part_is_bound_to_its_place_and_its_key(shop: Shop) -> None:
    upload = await shop.begin(100)
    upload = await shop.send(upload, 0, b"a" * 10)
    [part] = upload.parts
    stored = Parts(shop.db, KEYS)
    assert await stored.read(upload, 0, part) == b"a" * 10
    with pytest.raises(PartUnreadable):
        await stored.read(upload, 1, part)
    with pytest.raises(PartUnreadable):
        await Parts(shop.db, FileKeys(KeyRing("master_key", b"2" * 32))).read(upload, 0, part)


async def test_a_changed_part_is_not_read(shop: Shop) -> None:
    upload = await shop.send(await shop.begin(100), 0, b"a" * 10)
    [chunk] = await shop.parts_of(upload)
    data = bytearray(chunk["data"])
    data[-1] ^= 1
    await shop.db.bulk("files.chunks", [mongo.replacing(chunk | {"data": bytes(data)})])
    with pytest.raises(PartUnreadable):
        await Parts(shop.db, KEYS).read(upload, 0, upload.parts[0])


async def test_former_master_keys_still_read(shop: Shop) -> None:
    upload = await shop.send(await shop.begin(100), 0, b"a" * 10)
    rotated = FileKeys(KeyRing("master_key", os.urandom(32), [bytes([1]) * 32]))
    assert await Parts(shop.db, rotated).read(upload, 0, upload.parts[0]) == b"a" * 10


async def test_a_file_of_another_type_than_stated_is_removed(shop: Shop) -> None:
    upload = await shop.begin(10)
    with pytest.raises(FileTypeDiffers):
        await shop.send(upload, 0, b"a,b,c\n1,2,", stated="application/pdf")
    with pytest.raises(UploadUnknown):
        await shop.find(upload)
    await uploads.sweep_uploads(shop.run)
    assert await shop.parts_of(upload) == []


async def test_a_refused_loser_does_not_remove_the_complete_file(shop: Shop) -> None:
    upload = await shop.begin(10)

    async def overtaken() -> AsyncGenerator[bytes]:
        await shop.send(upload, 0, b"a,b,c\n1,2,")
        yield b"%PDF-1.7 x"

    with pytest.raises(OffsetDiffers):
        await shop.send_stream(upload, 0, overtaken())
    assert (await shop.find(upload)).state is UploadState.COMPLETE


async def test_the_parts_of_a_complete_file_are_swept_and_its_row_later(shop: Shop) -> None:
    upload = await shop.send(await shop.begin(10), 0, b"a,b,c\n1,2,")
    assert await shop.parts_of(upload)
    await uploads.sweep_uploads(shop.run)
    assert await shop.parts_of(upload) == []
    assert (await shop.find(upload)).result_id == f"result-{upload.id}"
    shop.at(upload.created_at + LIFETIME)
    await uploads.sweep_uploads(shop.run)
    assert await shop.row(upload) is None


async def test_an_expired_upload_is_unknown_and_swept(shop: Shop) -> None:
    upload = await shop.send(await shop.begin(100), 0, b"a" * 10)
    await uploads.sweep_uploads(shop.run)
    assert (await shop.find(upload)).offset_bytes == 10
    shop.at(upload.expires_at)
    with pytest.raises(UploadUnknown):
        await shop.find(upload)
    await uploads.sweep_uploads(shop.run)
    assert await shop.parts_of(upload) == []
    assert await shop.row(upload)
    shop.at(upload.expires_at + GRACE)
    await uploads.sweep_uploads(shop.run)
    assert await shop.row(upload) is None


async def test_what_a_killed_process_left_of_a_part_is_swept(shop: Shop) -> None:
    upload = await shop.begin(100)
    other = await shop.send(await shop.begin(100), 0, b"a")
    orphan = {"_id": f"{upload.id}/x", "files_id": f"{upload.id}/x", "n": 0, "data": b"?"}
    await shop.db.insert("files.chunks", [orphan])
    assert await shop.parts_of(upload)
    await shop.db.update("uploads", {"_id": upload.id}, {"$set": {"sweep_at": upload.created_at}})
    await uploads.sweep_uploads(shop.run)
    assert await shop.parts_of(upload) == []
    assert len(await shop.parts_of(other)) == 1


async def test_the_sweeper_takes_bounded_steps_by_indexes(shop: Shop) -> None:
    begun = [await shop.begin(10) for _ in range(uploads.MAX_SWEPT)]
    await shop.db.update("uploads", {}, {"$set": {"sweep_at": begun[0].created_at}}, many=True)
    assert await uploads.sweep_uploads(shop.run) is True
    assert await uploads.sweep_uploads(shop.run) is False
    plans: list[Any] = [
        await _plan(shop, "uploads", {"sweep_at": {"$lte": begun[0].created_at}}),
        await _plan(shop, "files.files", {"_id": {"$gte": "a/", "$lt": "a0"}}),
        await _plan(shop, "files.chunks", {"files_id": {"$gte": "a/", "$lt": "a0"}}),
    ]
    assert "COLLSCAN" not in str(plans)


async def _plan(shop: Shop, collection: str, where: dict[str, Any]) -> Any:
    command = {"find": collection, "filter": where}
    return (await shop.db.db.command({"explain": command}))["queryPlanner"]["winningPlan"]
