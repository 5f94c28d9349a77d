"""An export of the audit: one signed ZIP, written while it is read.

It holds rows, their blocks and anchors, and a verifier that runs without Bina. The HMAC key of the
digests is not exported: an export proves by hashes, anchors and a signature (docs/audit.md). With
the hash of a row, a reader could guess hidden texts until one fits. Therefore every row is listed
by its seal, an HMAC over its hash, and by its hash only if nothing of the row is hidden.

Not here: who may have an export (auditor_api), how it is checked (verify).
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

# Blocks are read, hashed and written in groups of at least this many rows.
_ROWS_PER_GROUP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportScope:
    """The rows of an export: filter, number, first and last block.

    `unsealed` counts matching rows that are left out because they are not sealed yet.
    """

    where: Document
    rows: int
    first: int
    last: int
    unsealed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAudit:
    """The audit of one service as an export reads it.

    `topic_anchors` and `prior_findings` come from an earlier verification. `prior_findings` is None
    if there was none.
    """

    service: str
    db: Mongo
    key: bytes
    scope: ExportScope
    has_hidden_texts: bool
    topic_anchors: Mapping[int, Anchor] = field(default_factory=dict[int, Anchor])
    prior_findings: Sequence[Finding] | None = None


async def find_scope(db: Mongo, where: Document, session: Session = None) -> ExportScope:
    """Return the scope of the matching rows that are sealed, which no longer change."""
    sealed: Document = {"$and": [where, SEALED]}
    grouped = {
        "$group": {
            "_id": None,
            "first": {"$min": "$block"},
            "last": {"$max": "$block"},
            "rows": {"$sum": 1},
        }
    }
    summaries = await db.aggregate("audit", [{"$match": sealed}, grouped], session=session)
    summary = summaries[0] if summaries else {"first": 1, "last": 0, "rows": 0}
    waiting = await db.count("audit", {"$and": [where, UNSEALED]}, session=session)
    return ExportScope(
        where=sealed,
        rows=summary["rows"],
        first=summary["first"],
        last=summary["last"],
        unsealed=waiting,
    )


async def write_export(
    audits: Sequence[ServiceAudit], head: Document, key: Ed25519PrivateKey
) -> AsyncGenerator[bytes]:
    """Yield the ZIP as it is written; `head` holds facts for its manifest."""
    out = _Chunks()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w", zipfile.ZIP_DEFLATED) as archive:
        zipped = _HashingZip(archive)
        counts_by_service: dict[str, Any] = {}
        for audit in audits:
            files = _ServiceFiles(audit, zipped)
            async with aclosing(files.write()) as pages:
                async for _ in pages:
                    yield out.take()
            counts_by_service[audit.service] = files.counts
        zipped.add_file("verify.py", inspect.getsource(verify).splitlines())
        zipped.add_file("README.txt", statement.README.splitlines())
        manifest = {
            "format": 2,
            **head,
            "proves": statement.proved_statements(
                has_hidden_texts=any(audit.has_hidden_texts for audit in audits)
            ),
            "does_not_prove": statement.unproved_statements(
                is_verified=all(audit.prior_findings is not None for audit in audits)
            ),
            "services": counts_by_service,
            "public_key": raw_public_key(key.public_key()).hex(),
            "files": zipped.files,
        }
        content = json.dumps(manifest, indent=1, ensure_ascii=False, default=str).encode()
        archive.writestr("manifest.json", content)
        archive.writestr("manifest.sig", key.sign(content).hex())
    yield out.take()


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key, which an inspector receives on paper."""
    return hashlib.sha256(raw_public_key(key)).hexdigest()


class _Chunks:
    """A file without `seek` whose content is taken out as it is written, to stream the ZIP."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        """Return what was written since the last call."""
        content = bytes(self._buffer)
        self._buffer.clear()
        return content


class _HashingZip:
    """A ZIP whose files are hashed as they are written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}

    @contextmanager
    def open_file(self, name: str) -> Generator[Callable[[Iterable[str]], None]]:
        """Yield a function that writes lines of a text file."""
        hashed = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as out:

            def write(lines: Iterable[str]) -> None:
                content = "".join(f"{line}\n" for line in lines).encode()
                hashed.update(content)
                out.write(content)

            yield write
        self.files[name] = hashed.hexdigest()

    def add_file(self, name: str, lines: Iterable[str]) -> None:
        """Add a whole text file."""
        with self.open_file(name) as write:
            write(lines)


@dataclass(frozen=True, slots=True)
class _ExportedRow:
    """The exported line of a row, and whether it is the form that was sealed."""

    line: str
    is_whole: bool


class _ServiceFiles:
    """The files of one service, and what was counted and found while they were written."""

    def __init__(self, audit: ServiceAudit, zipped: _HashingZip) -> None:
        self._audit = audit
        self._zipped = zipped
        self._findings: list[Finding] = list(audit.prior_findings or ())
        self._row_count = 0
        self._whole_row_count = 0
        self._block_count = 0
        self._anchor_count = 0
        self._previous_block: Document | None = None
        self._last_seal: Document | None = None

    async def write(self) -> AsyncGenerator[None]:
        """Write the three files, page by page.

        Rows and blocks are read twice instead of being kept, because sealed ones do not change.
        """
        service = self._audit.service
        # The anchor is read first, so its block must be among the seals that are read next.
        newest_anchor = await read_newest_anchor(self._audit.db, service)
        seals = await self._audit.db.find(
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
            async for _ in self._write_all_anchors(write):
                yield
        if seals:
            self._last_seal = {"block": seals[0]["_id"], "digest": seals[0]["digest"]}
        self._add_findings(newest_anchor)

    async def _write_all_anchors(
        self, write: Callable[[Iterable[str]], None]
    ) -> AsyncIterator[None]:
        """Write the anchors of the exported blocks; those from the topic replace archived ones."""
        scope = self._audit.scope
        from_topic = {
            number: anchor
            for number, anchor in self._audit.topic_anchors.items()
            if scope.first <= number <= scope.last
        }
        archive = read_archived_anchors(
            self._audit.db, self._audit.service, scope.first, scope.last
        )
        async for page in archive:
            preferred = {number: from_topic[number] for number in page.keys() & from_topic}
            self._write_anchors(write, page | preferred, from_topic)
            for number in preferred:
                del from_topic[number]
            yield
        self._write_anchors(write, from_topic, from_topic)

    def _add_findings(self, newest_anchor: tuple[int, Anchor] | None) -> None:
        """Add the findings that are known only after all files are written."""
        scope = self._audit.scope
        last_sealed = self._last_seal["block"] if self._last_seal else 0
        if newest_anchor and newest_anchor[0] > last_sealed:
            self._findings.append(report_missing_block(*newest_anchor))
        if self._previous_block and self._previous_block["_id"] < scope.last:
            self._findings.append(Finding(scope.last, "", "block missing"))
        unlisted = scope.rows - self._row_count
        if unlisted:
            what = f"{unlisted} rows added or moved: their blocks do not know them"
            self._findings.append(Finding(None, "", what))

    @property
    def counts(self) -> Document:
        """The manifest's entry for this service."""
        scope = self._audit.scope
        return {
            "rows": self._row_count,
            "rows_whole": self._whole_row_count,
            "unsealed": scope.unsealed,
            "blocks": self._block_count,
            "first_block": scope.first if self._block_count else None,
            "last_block": scope.last if self._block_count else None,
            "anchors": self._anchor_count,
            "head": self._last_seal,
            "checked": "given rows" if self._audit.prior_findings is None else "all rows",
            "findings": [asdict(finding) for finding in dict.fromkeys(self._findings)],
        }

    async def _read_block_groups(self) -> AsyncIterator[tuple[list[Document], dict[str, Document]]]:
        """Yield the blocks in order, in groups, with the exported rows of each group by id."""
        group: list[Document] = []
        rows = 0
        scope = self._audit.scope
        async for block in read_blocks(self._audit.db, scope.first, scope.last):
            group.append(block)
            rows += len(block["rows"])
            if rows >= _ROWS_PER_GROUP:
                yield group, await self._read_rows(group)
                group = []
                rows = 0
        if group:
            yield group, await self._read_rows(group)

    async def _read_rows(self, group: list[Document]) -> dict[str, Document]:
        ids = [id_ for block in group for id_ in block["rows"]]
        where = {"$and": [self._audit.scope.where, {"_id": {"$in": ids}}]}
        return {row["_id"]: row for row in await self._audit.db.find("audit", where)}

    def _write_rows(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            exported = [self._export_row(rows[id_]) for id_ in block["rows"] if id_ in rows]
            write(row.line for row in exported)
            self._row_count += len(exported)
            self._whole_row_count += sum(row.is_whole for row in exported)

    def _write_blocks(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            # The block before the first exported one is not read: its digest is not verified.
            unread = {"_id": self._audit.scope.first - 1, "digest": block["previous"]}
            block_rows = {id_: rows[id_] for id_ in block["rows"] if id_ in rows}
            before = self._previous_block or unread
            self._findings += check_block(block, before, self._audit.key)
            self._findings += check_rows(block, block_rows)
            listed = [
                self._list_row(id_, hash_, block_rows.get(id_))
                for id_, hash_ in zip(block["rows"], block["hashes"], strict=False)
            ]
            has_exported_rows = any(id_ for id_, *_ in listed)
            line = {
                "block": block["_id"],
                "previous": block["previous"],
                "digest": block["digest"],
                "count": len(block["rows"]),
                "rows": listed if has_exported_rows else [],
            }
            write([json.dumps(line)])
            self._block_count += 1
            self._previous_block = block

    def _list_row(self, id_: str, hash_: str, row: Document | None) -> list[str | bool | None]:
        """Return id, seal, hash of the exported line, and whether that hash was sealed.

        For a row that is not exported, only the seal is given.
        """
        seal = hmac.new(self._audit.key, f"row\n{hash_}".encode(), hashlib.sha256).hexdigest()
        if row is None:
            return [None, seal, None, False]
        exported = self._export_row(row)
        if exported.is_whole:
            return [id_, seal, hash_, True]
        return [id_, seal, hashlib.sha256(exported.line.encode()).hexdigest(), False]

    def _export_row(self, row: Document) -> _ExportedRow:
        whole = canonical(row)
        if not self._audit.has_hidden_texts:
            return _ExportedRow(whole, is_whole=True)
        shown = redacted(row)
        if not shown["values"]:
            del shown["values"]
        line = canonical(shown)
        return _ExportedRow(line, is_whole=line == whole)

    def _write_anchors(
        self,
        write: Callable[[Iterable[str]], None],
        anchors: Mapping[int, Anchor],
        topic: Mapping[int, Anchor],
    ) -> None:
        lines: list[str] = []
        for number, anchor in sorted(anchors.items()):
            seen_in = "topic" if number in topic else "archive"
            lines.append(json.dumps({"block": number, "seen_in": seen_in, **asdict(anchor)}))
        write(lines)
        self._anchor_count += len(anchors)
