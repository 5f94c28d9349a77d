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
from chassis.admin.audit_export.anchors import Anchor, archived, newest
from chassis.admin.audit_export.verification import (
    SEALED,
    Finding,
    blocks,
    cut_off,
    of_block,
    of_rows,
)
from chassis.admin.audit_search import shown
from chassis.jobs.audit_sealer import UNSEALED, canonical
from chassis.persistence.mongo import Document, Mongo, Session

_ROWS = 500  # and what is left of a block: read, hashed and written at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far the rows reach that an export gives: how many, in which blocks; and how many more wait to be sealed."""

    where: Document
    rows: int
    first: int
    last: int
    unsealed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The audit of one part as an export reads it: its rows, `hidden` or with all texts, its key, and what is known of it from elsewhere (None: nothing was looked at)."""

    service: str
    db: Mongo
    key: bytes
    reach: Reach
    hidden: bool
    witnessed: Mapping[int, Anchor] = field(default_factory=dict[int, Anchor])
    verified: Sequence[Finding] | None = None


async def reach(db: Mongo, where: Document, session: Session = None) -> Reach:
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
    return Reach(
        where=sealed, rows=found["rows"], first=found["first"], last=found["last"], unsealed=waiting
    )


async def export(
    audits: Sequence[Audit], head: Document, key: Ed25519PrivateKey
) -> AsyncGenerator[bytes]:
    """The ZIP, as it comes into being; `head` are the facts of its manifest."""
    out = _Chunks()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w", zipfile.ZIP_DEFLATED) as archive:
        zipped, counted = _Zip(archive), dict[str, Any]()
        for audit in audits:
            part = _Part(audit, zipped)
            async with aclosing(part.written()) as pages:
                async for _ in pages:
                    yield out.taken()
            counted[audit.service] = part.counted
        zipped.add("verify.py", inspect.getsource(verify).splitlines())
        zipped.add("README.txt", statement.README.splitlines())
        told = {
            "format": 2,
            **head,
            "proves": statement.proves(hidden=any(audit.hidden for audit in audits)),
            "does_not_prove": statement.does_not_prove(
                verified=all(audit.verified is not None for audit in audits)
            ),
            "services": counted,
            "public_key": raw(key.public_key()).hex(),
            "files": zipped.files,
        }
        content = json.dumps(told, indent=1, ensure_ascii=False, default=str).encode()
        archive.writestr("manifest.json", content)
        archive.writestr("manifest.sig", key.sign(content).hex())
    yield out.taken()


def raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: Ed25519PublicKey) -> str:
    """What an inspector is given on paper."""
    return hashlib.sha256(raw(key)).hexdigest()


class _Chunks:
    """A file that is taken away as it is written; none that could be sought in, so that the ZIP is one that flows."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        return

    def taken(self) -> bytes:
        """What was written since the last time."""
        held = bytes(self._held)
        self._held.clear()
        return held


class _Zip:
    """A ZIP whose files are hashed as they are written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}

    @contextmanager
    def file(self, name: str) -> Generator[Callable[[Iterable[str]], None]]:
        """A text file: a function that writes lines of it."""
        hashed = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as out:

            def write(lines: Iterable[str]) -> None:
                content = "".join(f"{line}\n" for line in lines).encode()
                hashed.update(content)
                out.write(content)

            yield write
        self.files[name] = hashed.hexdigest()

    def add(self, name: str, lines: Iterable[str]) -> None:
        """A whole text file."""
        with self.file(name) as write:
            write(lines)


@dataclass(frozen=True, slots=True)
class _Given:
    """A row as it is given: its line, and whether that is the very form that was sealed."""

    line: str
    whole: bool


class _Part:
    """The files of one part, and what was counted and found while they were written."""

    def __init__(self, audit: Audit, zipped: _Zip) -> None:
        self._audit, self._zipped = audit, zipped
        self._found: list[Finding] = list(audit.verified or ())
        self._rows = self._whole = self._blocks = self._anchors = 0
        self._before: Document | None = None
        self._head: Document | None = None

    async def written(self) -> AsyncGenerator[None]:
        """Write the three files, page by page. Rows and blocks are read twice rather than kept: what is sealed stays as it is."""
        reach, service = self._audit.reach, self._audit.service
        anchored = await newest(
            self._audit.db, service
        )  # first: whatever is anchored by then is sealed afterwards
        sealed = await self._audit.db.find(
            "seals", {}, sort=[("_id", -1)], limit=1, fields={"digest": 1}
        )
        with self._zipped.file(f"{service}/rows.jsonl") as write:
            async for group, rows in self._groups():
                await asyncio.to_thread(self._write_rows, write, group, rows)
                yield
        with self._zipped.file(f"{service}/blocks.jsonl") as write:
            async for group, rows in self._groups():
                await asyncio.to_thread(self._write_blocks, write, group, rows)
                yield
        with self._zipped.file(f"{service}/anchors.jsonl") as write:
            left = {
                number: anchor
                for number, anchor in self._audit.witnessed.items()
                if reach.first <= number <= reach.last
            }
            async for page in archived(self._audit.db, service, reach.first, reach.last):
                self._write_anchors(
                    write, page | {number: left[number] for number in page.keys() & left}, left
                )
                left = {number: anchor for number, anchor in left.items() if number not in page}
                yield
            self._write_anchors(write, left, left)
        if anchored and anchored[0] > (sealed[0]["_id"] if sealed else 0):
            self._found.append(cut_off(*anchored))
        if self._blocks and self._before and self._before["_id"] < reach.last:
            self._found.append(Finding(reach.last, "", "block missing"))
        if missed := reach.rows - self._rows:
            self._found.append(
                Finding(None, "", f"{missed} rows added or moved: their blocks do not know them")
            )
        self._head = {"block": sealed[0]["_id"], "digest": sealed[0]["digest"]} if sealed else None

    @property
    def counted(self) -> Document:
        """What the manifest says of this part."""
        reach = self._audit.reach
        return {
            "rows": self._rows,
            "rows_whole": self._whole,
            "unsealed": reach.unsealed,
            "blocks": self._blocks,
            "first_block": reach.first if self._blocks else None,
            "last_block": reach.last if self._blocks else None,
            "anchors": self._anchors,
            "head": self._head,
            "checked": "given rows" if self._audit.verified is None else "all rows",
            "findings": [asdict(one) for one in dict.fromkeys(self._found)],
        }

    async def _groups(self) -> AsyncIterator[tuple[list[Document], dict[str, Document]]]:
        """The blocks in order, some at a time, with the rows of them that are given."""
        group: list[Document] = []
        async for block in blocks(self._audit.db, self._audit.reach.first, self._audit.reach.last):
            group.append(block)
            if sum(len(one["rows"]) for one in group) >= _ROWS:
                yield group, await self._given(group)
                group = []
        if group:
            yield group, await self._given(group)

    async def _given(self, group: list[Document]) -> dict[str, Document]:
        ids = [id_ for block in group for id_ in block["rows"]]
        return {
            row["_id"]: row
            for row in await self._audit.db.find(
                "audit", {"$and": [self._audit.reach.where, {"_id": {"$in": ids}}]}
            )
        }

    def _write_rows(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            given = [self._line(rows[id_]) for id_ in block["rows"] if id_ in rows]
            write(one.line for one in given)
            self._rows += len(given)
            self._whole += sum(one.whole for one in given)

    def _write_blocks(
        self,
        write: Callable[[Iterable[str]], None],
        group: list[Document],
        rows: Mapping[str, Document],
    ) -> None:
        for block in group:
            before = self._before or {
                "_id": self._audit.reach.first - 1,
                "digest": block["previous"],
            }
            self._found += [
                *of_block(block, before, self._audit.key),
                *of_rows(block, {id_: rows[id_] for id_ in block["rows"] if id_ in rows}),
            ]
            listed = [
                self._listed(id_, hash_, rows.get(id_))
                for id_, hash_ in zip(block["rows"], block["hashes"], strict=False)
            ]
            told = {
                "block": block["_id"],
                "previous": block["previous"],
                "digest": block["digest"],
                "count": len(block["rows"]),
            }
            write([json.dumps(told | {"rows": listed if any(row for row, *_ in listed) else []})])
            self._blocks += 1
            self._before = block

    def _listed(self, id_: str, hash_: str, row: Document | None) -> list[str | bool | None]:
        """A row in its block: id, seal, hash of its line, whether that is the hash that was sealed; of one that is not given the seal only."""
        seal = hmac.new(self._audit.key, f"row\n{hash_}".encode(), hashlib.sha256).hexdigest()
        if row is None:
            return [None, seal, None, False]
        given = self._line(row)
        return [
            id_,
            seal,
            hash_ if given.whole else hashlib.sha256(given.line.encode()).hexdigest(),
            given.whole,
        ]

    def _line(self, row: Document) -> _Given:
        whole = canonical(row)
        if not self._audit.hidden:
            return _Given(whole, whole=True)
        told = shown(row)
        line = canonical(
            told
            if told["values"]
            else {name: value for name, value in told.items() if name != "values"}
        )
        return _Given(line, whole=line == whole)

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
        self._anchors += len(anchors)
