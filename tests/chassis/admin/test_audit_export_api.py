"""Audit exports over HTTP: they verify without our code, and every tampering is found."""

from __future__ import annotations

import hashlib
import hmac
import io
import zipfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.admin.audit_export.export import ServiceAudit, find_scope, fingerprint, write_export
from chassis.ids import new_id, utc_now
from chassis.jobs.audit_sealer import row_hash
from chassis.persistence.mongo import Mongo
from tests.chassis.admin.audit_shop import (
    EXPORT,
    WHY,
    Export,
    exported,
    filled,
    seal,
    searched,
    serve_shop,
    with_text,
)
from tests.fakes import AsgiClient

shop = pytest.fixture(serve_shop)


async def test_an_export_gives_the_rows_of_the_search_and_verifies_alone(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    before = utc_now()
    await filled(shop, owner, "north")
    await seal(shop)
    await filled(shop, new_id(), "north")
    await filled(shop, owner, "south", label="Budi")
    db = await seal(shop)
    auditor = shop.as_("auditor", subject="auditor-1", facility="*")
    sought = {"person": owner, "from": before.isoformat()}
    export = await exported(auditor, tmp_path, **sought)
    rows = export.lines("shop/rows.jsonl")
    found = {
        row["_id"]: row
        for row in await searched(auditor, **sought)
        if row["action"].startswith("jars.")
    }
    assert {row["_id"]: (row["action"], row["actor"], row.get("values")) for row in rows} == {
        id_: (row["action"], row["actor"], row["values"] or None) for id_, row in found.items()
    }
    blocks = export.lines("shop/blocks.jsonl")
    assert [block["block"] for block in blocks] == list(
        range(blocks[0]["block"], blocks[0]["block"] + len(blocks))
    )
    assert (
        sum(len(block["rows"]) for block in blocks) == sum(block["count"] for block in blocks) == 6
    )
    assert [anchor["block"] for anchor in export.lines("shop/anchors.jsonl")] == [
        block["block"] for block in blocks
    ]
    key = load_pem_private_key(shop.keys.private["shop"].encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    code, answer = await export.checked(fingerprint(key.public_key()))
    assert (
        code,
        "utuh: tidak ada temuan / whole: nothing found" in answer,
        "4 baris" in answer,
    ) == (
        0,
        True,
        True,
    ), answer
    [noted] = await db.find("audit", {"action": "audit.exported"})
    assert (noted["actor"], noted["purpose"], noted["subject"], noted["rows"]) == (
        "auditor-1",
        "surat tugas 12/2026",
        owner,
        4,
    )
    manifest = export.manifest()
    assert (
        manifest["reason"],
        manifest["asked_by"]["subject"],
        manifest["sought"]["person"],
        manifest["facilities"],
    ) == ("surat tugas 12/2026", "auditor-1", owner, "*")
    assert manifest["proves"]
    assert manifest["does_not_prove"]


async def test_an_export_without_a_reason_hides_texts_and_their_hashes(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    await filled(shop, owner, "north")
    north = await with_text(shop, owner, "north", "Budi")
    south = await with_text(shop, owner, "south", "Wati")
    db = await seal(shop)
    plain = await db.find("audit", {"person": owner})
    export = await exported(shop.as_("auditor", facility="north"), tmp_path, None, person=owner)
    assert (export.manifest()["texts"], export.manifest()["reason"]) == ("hidden", "")
    with zipfile.ZipFile(export.file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for word in ("Budi", "Wati", row_hash(north), row_hash(south), south["_id"]):
        assert word.encode() not in content
    assert all(row_hash(row).encode() in content for row in plain)
    assert (export.part()["rows"], export.part()["rows_whole"]) == (3, 2)
    listed = {
        id_: whole
        for block in export.lines("shop/blocks.jsonl")
        for id_, _, _, whole in block["rows"]
    }
    assert listed == {row["_id"]: True for row in plain} | {north["_id"]: False, None: False}
    assert (await export.checked())[0] == 0
    again = await exported(shop.as_("auditor", facility="*"), tmp_path, None, person=owner)
    sealed = {
        hmac.new(
            bytes.fromhex("11" * 32), f"row\n{row_hash(row)}".encode(), hashlib.sha256
        ).hexdigest()
        for row in (*plain, north, south)
    }
    seals = {seal for block in again.lines("shop/blocks.jsonl") for _, seal, _, _ in block["rows"]}
    before = {
        seal for block in export.lines("shop/blocks.jsonl") for _, seal, _, _ in block["rows"]
    }
    # The second export may also hold the row of the first one, if it was sealed meanwhile.
    assert before | sealed <= seals, "two exports can be laid side by side"


async def test_an_export_with_a_reason_holds_the_texts_as_they_were_sealed(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    north = await with_text(shop, owner, "north", "Budi")
    await with_text(shop, owner, "south", "Wati")
    await seal(shop)
    export = await exported(shop.as_("auditor", facility="north"), tmp_path, person=owner)
    [row] = export.lines("shop/rows.jsonl")
    assert (row["values"], export.part()["rows_whole"], export.manifest()["texts"]) == (
        {"label": ["", "Budi"]},
        1,
        "whole",
    )
    block_rows = [row for block in export.lines("shop/blocks.jsonl") for row in block["rows"]]
    assert [hash_ for id_, _, hash_, _ in block_rows if id_] == [row_hash(north)]
    with zipfile.ZipFile(export.file) as archive:
        assert b"Wati" not in b"".join(archive.read(name) for name in archive.namelist())
    assert (await export.checked())[0] == 0


async def test_whatever_is_done_to_an_export_is_named(shop: AsgiClient, tmp_path: Path) -> None:
    owner = new_id()
    await filled(shop, owner, "north", label="Budi")
    await seal(shop)
    await filled(shop, owner, "north")
    await seal(shop)
    export = await exported(shop.as_("auditor", facility="*"), tmp_path, person=owner)
    rows = "shop/rows.jsonl"
    ids = [row["_id"] for row in export.lines(rows)]
    changes: dict[str, tuple[str, Callable[[list[str]], list[str]]]] = {
        f"baris {ids[0]} diubah / row altered": (
            rows,
            lambda lines: [lines[0].replace("keeper-north", "somebody"), *lines[1:]],
        ),
        f"baris {ids[1]} dihapus / row removed": (rows, lambda lines: [lines[0], *lines[2:]]),
        f"baris {ids[-1]} dihapus / row removed": (rows, lambda lines: lines[:-1]),
        f"baris {ids[1]} pindah tempat / row reordered": (
            rows,
            lambda lines: [lines[1], lines[0], *lines[2:]],
        ),
        f"baris {ids[0]} ditambahkan / row added": (rows, lambda lines: [*lines, lines[0]]),
        "baris forged ditambahkan / row added": (
            rows,
            lambda lines: [*lines, '{"_id":"forged"}\n'],
        ),
        "blocks.jsonl: berkas diubah / file changed": (
            "shop/blocks.jsonl",
            lambda lines: lines[:-1],
        ),
        "tanda tangan tidak cocok": (
            "manifest.json",
            lambda lines: [line.replace("12/2026", "13/2026") for line in lines],
        ),
        "berbeda dari jangkarnya": (
            "shop/anchors.jsonl",
            lambda lines: [lines[0].replace('"rows": ', '"rows": 1'), *lines[1:]],
        ),
    }
    for words, (name, change) in changes.items():
        code, answer = await export.with_(name, change).checked()
        assert (code, words in answer) == (1, True), (words, answer)
    cut = Export(tmp_path, export.file.read_bytes()[:-400])
    code, answer = await cut.checked()
    assert (code, "rusak atau tidak lengkap / damaged or incomplete" in answer) == (1, True), answer
    code, answer = await export.checked("00" * 32)
    assert (code, "ditandatangani kunci lain / signed by another key" in answer) == (1, True), (
        answer
    )


async def test_an_export_names_what_was_wrong_in_the_chain_at_that_time(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    await filled(shop, owner, "north")
    await seal(shop)
    await filled(shop, owner, "north")
    db = await seal(shop)
    row = (await db.find("audit", {"person": owner}, sort=[("_id", 1)], limit=1))[0]
    auditor = shop.as_("auditor", facility="*")
    await db.update("audit", {"_id": row["_id"]}, {"$set": {"actor": "somebody-else"}})
    export = await exported(auditor, tmp_path, person=owner)
    assert export.part()["findings"] == [
        {"block": row["block"], "row": row["_id"], "what": "row altered"}
    ]
    code, answer = await export.checked()
    assert (
        code,
        f"baris {row['_id']} diubah / row altered" in answer,
        "saat ekspor / when exported" in answer,
    ) == (1, True, True), answer
    await db.update("audit", {"_id": row["_id"]}, {"$set": {"actor": row["actor"]}})
    await db.insert("audit", [row | {"_id": new_id()}])
    assert [
        one["what"] for one in (await exported(auditor, tmp_path, person=owner)).part()["findings"]
    ] == ["1 rows added or moved: their blocks do not know them"]
    await db.delete("seals", {"_id": row["block"]})
    what = [
        one["what"] for one in (await exported(auditor, tmp_path, person=owner)).part()["findings"]
    ]
    assert "block missing" in what


async def test_the_newest_block_cut_off_is_named_in_an_export_of_older_ones(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    await filled(shop, owner, "north")
    db = await seal(shop)
    last = (await db.find("seals", {}, sort=[("_id", -1)], limit=1))[0]
    auditor = shop.as_("auditor", facility="*")
    await filled(shop, new_id(), "north")
    await seal(shop)
    await db.delete("seals", {"_id": last["_id"] + 1})
    export = await exported(auditor, tmp_path, person=owner)
    assert [(one["block"], one["what"]) for one in export.part()["findings"]] == [
        (last["_id"] + 1, "block cut off with its 2 rows: only its anchor is left")
    ]
    assert export.part()["head"] == {"block": last["_id"], "digest": last["digest"]}


async def test_an_export_needs_a_valid_reason_a_scope_and_a_valid_query(
    shop: AsgiClient, tmp_path: Path
) -> None:
    owner = new_id()
    await filled(shop, owner, "north")
    db = await seal(shop)
    north = shop.as_("auditor", facility="north")
    bad: list[tuple[dict[str, str], dict[str, str], str]] = [
        ({}, {"access-reason": ""}, "access-reason"),
        ({}, {"access-reason": "kurang"}, "access-reason"),
        ({}, {"access-reason": "x" * 501}, "access-reason"),
    ]
    bad += [
        ({"from": "0001-01-01T00:00+23:00"}, WHY, "from"),
        ({"to": "9999-12-31T23:59-23:00"}, WHY, "to"),
        ({"person": ""}, WHY, "person"),
    ]
    bad += [
        ({"from": "kemarin"}, WHY, "from"),
        ({"from": "2026-11-02T00:00Z", "to": "2026-11-01T00:00Z"}, WHY, "to"),
        ({"persn": owner}, WHY, "persn"),
    ]
    for sought, headers, field in bad:
        answer = await north.get(EXPORT, params=sought, headers=headers)
        assert (answer.status_code, answer.headers["content-type"], answer.json()["field"]) == (
            422,
            "application/problem+json",
            field,
        ), answer.text
    response = [
        await client.get(EXPORT, params={"person": who}, headers=WHY)
        for client, who in (
            (shop.as_("auditor", facility="south"), owner),
            (north, new_id()),
            (shop.as_("x"), owner),
        )
    ]
    assert [answer.status_code for answer in response] == [404] * 3
    assert (
        len(
            {
                str({name: value for name, value in answer.json().items() if name != "request_id"})
                for answer in response
            }
        )
        == 1
    ), "out of scope is as unknown as what does not exist"
    assert (await north.get(EXPORT, headers=WHY, token="")).status_code == 401
    assert (
        await shop.as_("auditor", permissions=(), facility="*").get(EXPORT, headers=WHY)
    ).status_code == 403
    assert await db.count("audit", {"action": "audit.exported"}) == 0, (
        "what gave nothing is not an export"
    )
    empty = await exported(north, tmp_path, person=owner, to="2026-01-01T00:00Z")
    assert (empty.part()["rows"], empty.part()["blocks"], empty.part()["first_block"]) == (
        0,
        0,
        None,
    )
    assert (await empty.checked())[0] == 0


async def test_a_long_export_is_streamed_and_an_aborted_one_is_no_zip(
    shop: AsgiClient,
) -> None:
    db: Mongo = shop.app.state.life.db
    owner = new_id()
    at = utc_now()
    for _ in range(6):
        await db.insert(
            "audit",
            [
                {
                    "_id": new_id(),
                    "at": at,
                    "action": "x",
                    "subject": owner,
                    "facility": "north",
                    "block": None,
                    "note": new_id() * 20,
                }
                for _ in range(1_000)
            ],
        )
        await seal(shop)
    found = await find_scope(db, {"subject": owner})
    pieces = list[int]()
    audit = ServiceAudit(service="shop", db=db, key=b"k" * 32, scope=found, has_hidden_texts=True)
    async for piece in write_export([audit], {}, Ed25519PrivateKey.generate()):
        pieces.append(len(piece))
    assert found.rows == 6_000
    assert len(pieces) > 12
    assert max(pieces) < sum(pieces) / 4, "no piece holds much of it"
    broken = bytearray()
    async with aclosing(write_export([audit], {}, Ed25519PrivateKey.generate())) as chunks:
        async for piece in chunks:
            broken += piece
            break
    assert not zipfile.is_zipfile(io.BytesIO(bytes(broken)))
