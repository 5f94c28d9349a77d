"""An export of the audit: rows, their blocks and anchors, and what checks them without Bina, in one signed ZIP that is made as it is read. Not here: who may have it, its check.

The key of the digests stays here: an export proves by hashes, by the anchors and by a signature (docs/audit.md says what that is worth). Where texts are hidden, a row's
hash would let its reader try words until one fits; so every row is listed by its seal, an HMAC over its hash, and by its hash only where nothing of it is hidden.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import json
import zipfile
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chassis.admin.audit_export import statement, verify
from chassis.admin.audit_export.anchors import Anchor, read_archived_anchors, read_newest_anchor
from chassis.admin.audit_export.verification import (
    SEALED,
    Finding,
    check_block,
    check_rows,
    read_blocks,
    report_missing_block,
)
from chassis.admin.audit_search import redacted
from chassis.jobs.audit_sealer import UNSEALED, canonical
from chassis.persistence.mongo import Document, Mongo, Session

_ROWS_PER_GROUP = 500  # and what is left of a block: read, hashed and written at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportScope:
    """How far the rows reach that an export gives: how many, in which blocks; and how many more wait to be sealed."""

    where: Document
    rows: int
    first: int
    last: int
    unsealed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAudit:
    """The audit of one part as an export reads it: its rows, `hidden` or with all texts, its key, and what is known of it from elsewhere (None: nothing was looked at)."""

    service: str
    db: Mongo
    key: bytes
    scope: ExportScope
    has_hidden_texts: bool
    topic_anchors: Mapping[int, Anchor] = field(default_factory=dict[int, Anchor])
    prior_findings: Sequence[Finding] | None = None


async def find_scope(db: Mongo, where: Document, session: Session = None) -> ExportScope:
    """How far the rows reach that match and are sealed. They do not change any more: what is read later is the same."""
    sealed: Document = {"$and": [where, SEALED]}
    grouped = {
        "$group": {
            "_id": None,
            "first": {"$min": "$block"},
            "last": {"$max": "$block"},
            "rows": {"$sum": 1},
        }
    }
    [found] = await db.aggregate("audit", [{"$match": sealed}, grouped], session=session) or [
        {"first": 1, "last": 0, "rows": 0}
    ]
    waiting = await db.count("audit", {"$and": [where, UNSEALED]}, session=session)
    return ExportScope(
        where=sealed, rows=found["rows"], first=found["first"], last=found["last"], unsealed=waiting
    )


async def write_export(
    audits: Sequence[ServiceAudit], head: Document, key: Ed25519PrivateKey
) -> AsyncGenerator[bytes]:
    """The ZIP, as it comes into being; `head` are the facts of its manifest."""
    out = _Chunks()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w", zipfile.ZIP_DEFLATED) as archive:
        zipped, counted = _HashingZip(archive), dict[str, Any]()
        for audit in audits:
            part = _ServiceFiles(audit, zipped)
            async with aclosing(part.write()) as pages:
                async for _ in pages:
                    yield out.take()
            counted[audit.service] = part.counts
        zipped.add_file("verify.py", inspect.getsource(verify).splitlines())
        zipped.add_file("README.txt", statement.README.splitlines())
        told = {
            "format": 2,
            **head,
            "proves": statement.proved_statements(
                has_hidden_texts=any(audit.has_hidden_texts for audit in audits)
            ),
            "does_not_prove": statement.unproved_statements(
                is_verified=all(audit.prior_findings is not None for audit in audits)
            ),
            "services": counted,
            "public_key": raw_public_key(key.public_key()).hex(),
            "files": zipped.files,
        }
        content = json.dumps(told, indent=1, ensure_ascii=False, default=str).encode()
        archive.writestr("manifest.json", content)
        archive.writestr("manifest.sig", key.sign(content).hex())
    yield out.take()


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: Ed25519PublicKey) -> str:
    """What an inspector is given on paper."""
    return hashlib.sha256(raw_public_key(key)).hexdigest()


class _Chunks:
    """A file that is taken away as it is written; none that could be sought in, so that the ZIP is one that flows."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        """What was written since the last time."""
        held = bytes(self._buffer)
        self._buffer.clear()
        return held


class _HashingZip:
    """A ZIP whose files are hashed as they are written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}

    @contextmanager
    def open_file(self, name: str) -> Generator[Callable[[Iterable[str]], None]]:
        """A text file: a function that writes lines of it."""
        hashed = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as out:

            def write(lines: Iterable[str]) -> None:
                content = "".join(f"{line}\n" for line in lines).encode()
                hashed.update(content)
                out.write(content)

            yield write
        self.files[name] = hashed.hexdigest()

    def add_file(self, name: str, lines: Iterable[str]) -> None:
        """A whole text file."""
        with self.open_file(name) as write:
            write(lines)


@dataclass(frozen=True, slots=True)
class _ExportedRow:
    """A row as it is given: its line, and whether that is the very form that was sealed."""

    line: str
    is_whole: bool


class _ServiceFiles:
    """The files of one part, and what was counted and found while they were written."""

    def __init__(self, audit: ServiceAudit, zipped: _HashingZip) -> None:
        self._audit, self._zipped = audit, zipped
        self._findings: list[Finding] = list(audit.prior_findings or ())
        self._row_count = self._whole_row_count = self._block_count = self._anchor_count = 0
        self._previous_block: Document | None = None
        self._last_seal: Document | None = None

    async def write(self) -> AsyncGenerator[None]:
        """Write the three files, page by page. Rows and blocks are read twice rather than kept: what is sealed stays as it is."""
        reach, service = self._audit.scope, self._audit.service
        anchored = await read_newest_anchor(
            self._audit.db, service
        )  # first: whatever is anchored by then is sealed afterwards
        sealed = await self._audit.db.find(
            "seals", {}, sort=[("_id", -1)], limit=1, fields={"digest": 1}
        )
        with self._zipped.open_file(f"{service}/rows.jsonl") as write:
            async for group, rows in self._read_block_groups():
                await asyncio.to_thread(self._write_rows, write, group, rows)
                yield
        with self._zipped.open_file(f"{service}/blocks.jsonl") as write:
            async for group, rows in self._read_block_groups():
                await asyncio.to_thread(self._write_blocks, write, group, rows)
                yield
        with self._zipped.open_file(f"{service}/anchors.jsonl") as write:
            left = {
                number: anchor
                for number, anchor in self._audit.topic_anchors.items()
                if reach.first <= number <= reach.last
            }
            async for page in read_archived_anchors(
                self._audit.db, service, reach.first, reach.last
            ):
                self._write_anchors(
                    write, page | {number: left[number] for number in page.keys() & left}, left
                )
                left = {number: anchor for number, anchor in left.items() if number not in page}
                yield
            self._write_anchors(write, left, left)
        if anchored and anchored[0] > (sealed[0]["_id"] if sealed else 0):
            self._findings.append(report_missing_block(*anchored))
        if self._block_count and self._previous_block and self._previous_block["_id"] < reach.last:
            self._findings.append(Finding(reach.last, "", "block missing"))
        if missed := reach.rows - self._row_count:
            self._findings.append(
                Finding(None, "", f"{missed} rows added or moved: their blocks do not know them")
            )
        self._last_seal = (
            {"block": sealed[0]["_id"], "digest": sealed[0]["digest"]} if sealed else None
        )

    @property
    def counts(self) -> Document:
        """What the manifest says of this part."""
        reach = self._audit.scope
        return {
            "rows": self._row_count,
            "rows_whole": self._whole_row_count,
            "unsealed": reach.unsealed,
            "blocks": self._block_count,
            "first_block": reach.first if self._block_count else None,
            "last_block": reach.last if self._block_count else None,
            "anchors": self._anchor_count,
            "head": self._last_seal,
            "checked": "given rows" if self._audit.prior_findings is None else "all rows",
            "findings": [asdict(one) for one in dict.fromkeys(self._findings)],
        }

    async def _read_block_groups(self) -> AsyncIterator[tuple[list[Document], dict[str, Document]]]:
        """The blocks in order, some at a time, with the rows of them that are given."""
        group: list[Document] = []
        async for block in read_blocks(
            self._audit.db, self._audit.scope.first, self._audit.scope.last
        ):
            group.append(block)
            if sum(len(one["rows"]) for one in group) >= _ROWS_PER_GROUP:
                yield group, await self._read_rows(group)
                group = []
        if group:
            yield group, await self._read_rows(group)

    async def _read_rows(self, group: list[Document]) -> dict[str, Document]:
        ids = [id_ for block in group for id_ in block["rows"]]
        return {
            row["_id"]: row
            for row in await self._audit.db.find(
                "audit", {"$and": [self._audit.scope.where, {"_id": {"$in": ids}}]}
            )
        }

    def _write_rows(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            given = [self._export_row(rows[id_]) for id_ in block["rows"] if id_ in rows]
            write(one.line for one in given)
            self._row_count += len(given)
            self._whole_row_count += sum(one.is_whole for one in given)

    def _write_blocks(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            before = self._previous_block or {
                "_id": self._audit.scope.first - 1,
                "digest": block["previous"],
            }
            self._findings += [
                *check_block(block, before, self._audit.key),
                *check_rows(block, {id_: rows[id_] for id_ in block["rows"] if id_ in rows}),
            ]
            listed = [
                self._list_row(id_, hash_, rows.get(id_))
                for id_, hash_ in zip(block["rows"], block["hashes"], strict=False)
            ]
            told = {
                "block": block["_id"],
                "previous": block["previous"],
                "digest": block["digest"],
                "count": len(block["rows"]),
            }
            write([json.dumps(told | {"rows": listed if any(row for row, *_ in listed) else []})])
            self._block_count += 1
            self._previous_block = block

    def _list_row(self, id_: str, hash_: str, row: Document | None) -> list[str | bool | None]:
        """A row in its block: id, seal, hash of its line, whether that is the hash that was sealed; of one that is not given the seal only."""
        seal = hmac.new(self._audit.key, f"row\n{hash_}".encode(), hashlib.sha256).hexdigest()
        if row is None:
            return [None, seal, None, False]
        given = self._export_row(row)
        return [
            id_,
            seal,
            hash_ if given.is_whole else hashlib.sha256(given.line.encode()).hexdigest(),
            given.is_whole,
        ]

    def _export_row(self, row: Document) -> _ExportedRow:
        whole = canonical(row)
        if not self._audit.has_hidden_texts:
            return _ExportedRow(whole, is_whole=True)
        told = redacted(row)
        line = canonical(
            told
            if told["values"]
            else {name: value for name, value in told.items() if name != "values"}
        )
        return _ExportedRow(line, is_whole=line == whole)

    def _write_anchors(
        self,
        write: Callable[[Iterable[str]], None],
        anchors: Mapping[int, Anchor],
        topic: Mapping[int, Anchor],
    ) -> None:
        write(
            json.dumps(
                {
                    "block": number,
                    "seen_in": "topic" if number in topic else "archive",
                    **asdict(anchor),
                }
            )
            for number, anchor in sorted(anchors.items())
        )
        self._anchor_count += len(anchors)
