"""The command `audit export`: rows, their blocks and anchors, and what checks them without Bina, in one signed ZIP. Not here: the check itself (verifier).

The key of the digests stays here: an export proves by hashes, by the anchors and by the installation's signature (docs/audit.md says what that is worth).
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import zipfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from rich.console import Console
from rich.progress import Progress

from chassis.audit import canonical
from chassis.ids import utc_now
from chassis.inspection import Sought
from chassis.mongo import Document, Mongo
from ops import home, parts
from ops.audit import outside, verifier
from ops.audit.anchors import audit_key, database, in_archive, in_topics
from ops.audit.findings import SEALED, Anchor, verify
from ops.audit.searching import chosen, sought
from ops.operating import tell
from ops.trouble import Trouble

_README = """\
Ekspor jejak audit Bina. Periksa tanpa Bina (Python 3.10 ke atas):  python3 verify.py BERKAS.zip [SIDIK_JARI]
Sidik jari kunci penanda tangan harus sama dengan yang diberikan kantor kepada Anda di atas kertas.

An audit export of Bina. Check it without Bina (Python 3.10 or newer):  python3 verify.py FILE.zip [FINGERPRINT]
The fingerprint of the signing key must be the one that the office gave you on paper. One row is one line of rows.jsonl; its SHA-256 stands in its block.
"""


class _Zip:
    """A ZIP whose files are hashed as they are written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}

    @contextmanager
    def file(self, name: str) -> Generator[Callable[[str], None]]:
        """A text file: a function that writes one line of it."""
        hashed = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as out:

            def write(line: str) -> None:
                content = f"{line}\n".encode()
                hashed.update(content)
                out.write(content)

            yield write
        self.files[name] = hashed.hexdigest()

    def add(self, name: str, lines: Iterable[str]) -> None:
        """A whole text file."""
        with self.file(name) as write:
            for line in lines:
                write(line)


def export(service: str | None, person: str | None, since: str | None, until: str | None, reason: str, out: Path, *, as_json: bool) -> int:
    """Write the ZIP; 0 when the audit that it shows was whole, else 1 (it says what was not). Trouble when the file is there."""
    if out.exists():
        raise Trouble(f"{out} sudah ada: pilih nama lain.", f"{out} exists: choose another name.")
    wanted, narrowed = chosen(service), sought(person, None, since, until)
    key = load_pem_private_key((home.home() / "secrets" / parts.GATEWAY.name / f"{parts.GATEWAY.name}_signing_key").read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the installation's signing key is no Ed25519 key")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        told = asyncio.run(_written(draft, wanted, narrowed, reason, key))
        draft.chmod(0o600)
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    whole = not any(one["findings"] for one in told["services"].values())
    summary = {
        "file": str(out),
        "whole": whole,
        "fingerprint": told["fingerprint"],
        "services": {name: one | {"findings": len(one["findings"])} for name, one in told["services"].items()},
    }
    if as_json:
        tell(summary)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for name, one in told["services"].items():
            console.print(f"{name}: {one['rows']} baris dalam {one['blocks']} blok, {one['anchors']} jangkar, {len(one['findings'])} temuan")
        console.print(f"{out}\nSidik jari kunci penanda tangan, untuk diberikan di atas kertas: {told['fingerprint']}", markup=False)
    return 0 if whole else 1


async def _written(draft: Path, services: list[str], narrowed: Sought, reason: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    console = Console(stderr=True)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    told: dict[str, Any] = {"format": 1, "made_at": utc_now().isoformat(), "reason": reason, "sought": json.loads(narrowed.model_dump_json(exclude_none=True)), "services": {}}
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive, Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        zipped = _Zip(archive)
        anchors = await in_topics(services)
        for service in progress.track(services, description="Mengekspor jejak audit"):
            async with database(service) as db:
                archived = await in_archive(db, service)
                wrong = await verify(db, audit_key(service), archived | anchors[service], utc_now())
                counts = await _of(db, service, narrowed, archived, anchors[service], zipped)
                await outside.note(db, "audit.exported", narrowed.person or "", purpose=reason, sought=narrowed.model_dump(exclude_none=True), rows=counts["rows"])
            told["services"][service] = counts | {"findings": [asdict(one) for one in wrong]}
        zipped.add("verify.py", inspect.getsource(verifier).splitlines())
        zipped.add("README.txt", _README.splitlines())
        content = json.dumps(told | {"public_key": public.hex(), "files": zipped.files}, indent=1).encode()
        archive.writestr("manifest.json", content)
        archive.writestr("manifest.sig", key.sign(content).hex())
    return told | {"fingerprint": hashlib.sha256(public).hexdigest()}


async def _of(db: Mongo, service: str, narrowed: Sought, archived: dict[int, Anchor], anchors: dict[int, Anchor], zipped: _Zip) -> dict[str, int]:
    """One service's rows block by block, the blocks from the first of them to the last without a gap, and their anchors."""
    where: Document = {"$and": [SEALED, await narrowed.where(db)]}
    [reach] = await db.aggregate("audit", [{"$match": where}, {"$group": {"_id": None, "first": {"$min": "$block"}, "last": {"$max": "$block"}}}]) or [{"first": 1, "last": 0}]
    blocks: list[str] = []
    rows = 0
    with zipped.file(f"{service}/rows.jsonl") as write:
        for number in range(reach["first"], reach["last"] + 1):
            block = await db.find_one("seals", {"_id": number})
            if block is None:  # it is among the findings
                continue
            given = {row["_id"]: row for row in await db.find("audit", {"$and": [where, {"_id": {"$in": block["rows"]}}]})}
            for id_ in block["rows"]:
                if id_ in given:
                    write(canonical(given[id_]))
            rows += len(given)
            listed = [[id_, hash_, id_ in given] for id_, hash_ in zip(block["rows"], block["hashes"], strict=False)] if given else []
            blocks.append(json.dumps({"block": number, "previous": block["previous"], "digest": block["digest"], "count": len(block["rows"]), "rows": listed}))
    zipped.add(f"{service}/blocks.jsonl", blocks)
    shown = {number: ("topic" if number in anchors else "archive", anchor) for number, anchor in sorted((archived | anchors).items()) if reach["first"] <= number <= reach["last"]}
    zipped.add(f"{service}/anchors.jsonl", (json.dumps({"block": number, "seen_in": seen, **asdict(anchor)}) for number, (seen, anchor) in shown.items()))
    return {"rows": rows, "blocks": len(blocks), "anchors": len(shown)}
