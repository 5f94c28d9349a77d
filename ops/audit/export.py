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

from chassis.admin.audit_export.export import ServiceAudit, find_scope, fingerprint, write_export
from chassis.admin.audit_export.verification import verify
from chassis.admin.audit_search import AuditQuery
from chassis.ids import utc_now
from ops.audit import server_actions
from ops.audit.anchors import open_database, read_audit_key, read_from_archive, read_from_topics
from ops.audit.search import build_query, select_services
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.local import state_dir, topology


def export_audit(
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
    """Write the ZIP; 0 when the audit that it shows was whole, else 1 (it says what was not). OperatorError when the file is there."""
    if out.exists():
        raise OperatorError(
            f"{out} sudah ada: pilih nama lain.", f"{out} exists: choose another name."
        )
    wanted, narrowed = select_services(service), build_query(person, actor, since, until)
    key = load_pem_private_key(
        (
            state_dir.path()
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
            audits = asyncio.run(_write_export(file, wanted, narrowed, reason, key))
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    whole, paper = not any(audit.prior_findings for audit in audits), fingerprint(key.public_key())
    if as_json:
        counted = {
            audit.service: {"rows": audit.scope.rows, "findings": len(audit.prior_findings or ())}
            for audit in audits
        }
        print_json({"file": str(out), "whole": whole, "fingerprint": paper, "services": counted})
    else:
        console = Console(highlight=False, soft_wrap=True)
        for audit in audits:
            console.print(
                f"{audit.service}: {audit.scope.rows} baris, blok {audit.scope.first}-{audit.scope.last}, {len(audit.prior_findings or ())} temuan"
            )
        console.print(
            f"{out}\nSidik jari kunci penanda tangan, untuk diberikan di atas kertas: {paper}",
            markup=False,
        )
    return 0 if whole else 1


async def _write_export(
    file: IO[bytes], services: list[str], query: AuditQuery, reason: str, key: Ed25519PrivateKey
) -> list[ServiceAudit]:
    """The audits that were written, verified first; each part notes it before anything is given."""
    console = Console(stderr=True)
    head: dict[str, Any] = {
        "made_at": utc_now().isoformat(),
        "made_by": "./bina",
        "reason": reason,
        "sought": query.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    async with AsyncExitStack() as opened:
        audits: list[ServiceAudit] = []
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            witnessed = await read_from_topics(services)
            for service in progress.track(services, description="Memeriksa jejak audit"):
                db, secret = (
                    await opened.enter_async_context(open_database(service)),
                    read_audit_key(service),
                )
                wrong = await verify(
                    db, secret, await read_from_archive(db, service) | witnessed[service], utc_now()
                )
                found = await find_scope(db, await query.where(db))
                await server_actions.record_action(
                    db,
                    "audit.exported",
                    query.person or "",
                    purpose=reason,
                    sought=query.model_dump(exclude_none=True),
                    rows=found.rows,
                )
                audits.append(
                    ServiceAudit(
                        service=service,
                        db=db,
                        key=secret,
                        scope=found,
                        has_hidden_texts=False,
                        topic_anchors=witnessed[service],
                        prior_findings=wrong,
                    )
                )
        async for chunk in write_export(audits, head | {"facilities": "*", "texts": "whole"}, key):
            file.write(chunk)
    return audits
