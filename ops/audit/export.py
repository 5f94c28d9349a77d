"""The command `audit export`: the audit of parts as the inspector of a letter takes it away, with all texts and what the topics have. Not here: how the file is made (evidence)."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.console import Console
from rich.progress import Progress

from chassis.admin.audit_export.export import Audit, export, fingerprint, reach
from chassis.admin.audit_export.verification import verify
from chassis.admin.audit_search import Sought
from chassis.ids import utc_now
from ops.audit import server_actions
from ops.audit.anchors import audit_key, database, in_archive, in_topics
from ops.audit.search import chosen, sought
from ops.errors import Trouble
from ops.json_output import tell
from ops.local import state_dir, topology


def export_to(
    service: str | None,
    person: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    reason: str,
    out: Path,
    *,
    as_json: bool,
) -> int:
    """Write the ZIP; 0 when the audit that it shows was whole, else 1 (it says what was not). Trouble when the file is there."""
    if out.exists():
        raise Trouble(f"{out} sudah ada: pilih nama lain.", f"{out} exists: choose another name.")
    wanted, narrowed = chosen(service), sought(person, actor, since, until)
    key = load_pem_private_key(
        (
            state_dir.home()
            / "secrets"
            / topology.GATEWAY.name
            / f"{topology.GATEWAY.name}_signing_key"
        ).read_bytes(),
        None,
    )
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the installation's signing key is no Ed25519 key")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.touch(0o600)
        with draft.open("wb") as file:
            audits = asyncio.run(_written(file, wanted, narrowed, reason, key))
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    whole, paper = not any(audit.verified for audit in audits), fingerprint(key.public_key())
    if as_json:
        counted = {
            audit.service: {"rows": audit.reach.rows, "findings": len(audit.verified or ())}
            for audit in audits
        }
        tell({"file": str(out), "whole": whole, "fingerprint": paper, "services": counted})
    else:
        console = Console(highlight=False, soft_wrap=True)
        for audit in audits:
            console.print(
                f"{audit.service}: {audit.reach.rows} baris, blok {audit.reach.first}-{audit.reach.last}, {len(audit.verified or ())} temuan"
            )
        console.print(
            f"{out}\nSidik jari kunci penanda tangan, untuk diberikan di atas kertas: {paper}",
            markup=False,
        )
    return 0 if whole else 1


async def _written(
    file: IO[bytes], services: list[str], narrowed: Sought, reason: str, key: Ed25519PrivateKey
) -> list[Audit]:
    """The audits that were written, verified first; each part notes it before anything is given."""
    console = Console(stderr=True)
    head: dict[str, Any] = {
        "made_at": utc_now().isoformat(),
        "made_by": "./bina",
        "reason": reason,
        "sought": narrowed.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    async with AsyncExitStack() as opened:
        audits: list[Audit] = []
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            witnessed = await in_topics(services)
            for service in progress.track(services, description="Memeriksa jejak audit"):
                db, secret = await opened.enter_async_context(database(service)), audit_key(service)
                wrong = await verify(
                    db, secret, await in_archive(db, service) | witnessed[service], utc_now()
                )
                found = await reach(db, await narrowed.where(db))
                await server_actions.note(
                    db,
                    "audit.exported",
                    narrowed.person or "",
                    purpose=reason,
                    sought=narrowed.model_dump(exclude_none=True),
                    rows=found.rows,
                )
                audits.append(
                    Audit(
                        service=service,
                        db=db,
                        key=secret,
                        reach=found,
                        hidden=False,
                        witnessed=witnessed[service],
                        verified=wrong,
                    )
                )
        async for chunk in export(audits, head | {"facilities": "*", "texts": "whole"}, key):
            file.write(chunk)
    return audits
