"""The command `audit export`: a signed ZIP for an inspector, with texts and topic anchors.

Not here: the content of the ZIP (chassis.admin.audit_export).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.progress import Progress

from chassis.admin.audit_export.export import ServiceAudit, find_scope, fingerprint, write_export
from chassis.admin.audit_export.verification import verify
from chassis.admin.audit_search import AuditQuery
from chassis.ids import utc_now
from chassis.keys import load_private_key
from ops.audit import server_actions
from ops.audit.anchors import open_database, read_audit_key, read_from_archive, read_from_topics
from ops.audit.search import build_query, select_services
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.language import choose
from ops.local import state_dir, topology
from ops.text_output import print_text


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
    """Write the ZIP; return 0 without findings, else 1 (the ZIP lists them).

    Raises OperatorError when the file exists.
    """
    if out.exists():
        raise OperatorError(
            f"{out} sudah ada: pilih nama lain.", f"{out} exists: choose another name."
        )
    services = select_services(service)
    query = build_query(person, actor, since, until)
    key = _load_signing_key()
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.touch(0o600)
        with draft.open("wb") as file:
            audits = asyncio.run(_write_export(file, services, query, reason, key))
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)
    is_whole = not any(audit.prior_findings for audit in audits)
    key_fingerprint = fingerprint(key.public_key())
    if as_json:
        counts = {
            audit.service: {"rows": audit.scope.rows, "findings": len(audit.prior_findings or ())}
            for audit in audits
        }
        report = {"file": str(out), "whole": is_whole, "fingerprint": key_fingerprint}
        print_json(report | {"services": counts})
    else:
        _print_report(out, audits, key_fingerprint)
    return 0 if is_whole else 1


def _load_signing_key() -> Ed25519PrivateKey:
    name = topology.GATEWAY.name
    file = state_dir.path() / "secrets" / name / f"{name}_signing_key"
    return load_private_key(file.read_bytes())


def _print_report(out: Path, audits: list[ServiceAudit], key_fingerprint: str) -> None:
    for audit in audits:
        rows = audit.scope.rows
        blocks = f"{audit.scope.first}-{audit.scope.last}"
        findings = len(audit.prior_findings or ())
        print_text(
            f"{audit.service}: "
            + choose(
                f"{rows} baris, blok {blocks}, {findings} temuan",
                f"{rows} rows, blocks {blocks}, {findings} findings",
            )
        )
    print_text(str(out))
    print_text(
        choose(
            "Sidik jari kunci penanda tangan, untuk diberikan di atas kertas:",
            "Fingerprint of the signing key, to be handed over on paper:",
        )
    )
    print_text(f"  {key_fingerprint}")


async def _write_export(
    file: IO[bytes], services: list[str], query: AuditQuery, reason: str, key: Ed25519PrivateKey
) -> list[ServiceAudit]:
    """Verify each audit, insert a row about the export, write the ZIP; return the audits."""
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
            topic_anchors = await read_from_topics(services)
            description = choose("Memeriksa jejak audit", "Verifying the audit")
            for service in progress.track(services, description=description):
                db = await opened.enter_async_context(open_database(service))
                audit_key = read_audit_key(service)
                anchors = await read_from_archive(db, service) | topic_anchors[service]
                findings = await verify(db, audit_key, anchors, utc_now())
                scope = await find_scope(db, await query.where(db))
                await server_actions.record_action(
                    db,
                    "audit.exported",
                    query.person or "",
                    purpose=reason,
                    sought=query.model_dump(exclude_none=True),
                    rows=scope.rows,
                )
                audits.append(
                    ServiceAudit(
                        service=service,
                        db=db,
                        key=audit_key,
                        scope=scope,
                        has_hidden_texts=False,
                        topic_anchors=topic_anchors[service],
                        prior_findings=findings,
                    )
                )
        async for chunk in write_export(audits, head | {"facilities": "*", "texts": "whole"}, key):
            file.write(chunk)
    return audits
