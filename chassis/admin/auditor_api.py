"""How an auditor searches the audit and takes it away: texts hidden until a reason is given, which is noted first. Not here: what is found (chassis), the file (exporting)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from chassis.admin.audit_export.export import ExportScope, ServiceAudit, find_scope, write_export
from chassis.admin.audit_search import AuditQuery, redacted, scope_filter, search
from chassis.caller import EVERYTHING
from chassis.errors import NotFound, Refused
from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.ids import utc_now
from chassis.persistence.unit_of_work import Transaction
from chassis.settings import Settings

MIN_REASON_LENGTH, MAX_REASON_LENGTH = 10, 500


class ReasonUnfit(Refused):
    """Texts are shown for a reason, which stands in the audit and in an export; it comes in the header `access-reason`. Without the header they are hidden."""

    title = "Sebutkan untuk apa jejak audit ini dibuka (10 sampai 500 huruf); alasan ini dicatat. Tanpa alasan, isi teks disembunyikan"
    field = "access-reason"


class PeriodEmpty(Refused):
    """The end does not lie behind the beginning."""

    title = "Akhir rentang waktu harus sesudah awalnya"
    field = "to"


class NothingToExport(NotFound):
    """The caller's rows know no such person, or the caller has none at all."""

    title = "Tidak ada jejak audit yang dapat diekspor"


class AuditExportQuery(AuditQuery):
    """What is exported; a name that is none of these would give more than was asked for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


async def read_reason(access_reason: Annotated[str | None, Header()] = None) -> str:
    """Why the caller looks; "" where that is not said. ReasonUnfit when it is said in too few or too many words."""
    reason = (access_reason or "").encode("latin-1", "replace").decode(errors="replace").strip()
    if access_reason is not None and not MIN_REASON_LENGTH <= len(reason) <= MAX_REASON_LENGTH:
        raise ReasonUnfit
    return reason


Run = Annotated[RequestRunner[Any], Depends(dependencies.runner)]
Reason = Annotated[str, Depends(read_reason)]


async def search_audit(
    query: Annotated[AuditQuery, Query()],
    run: Run,
    reason: Reason,
    limit: dependencies.Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Who did what to whose data, on behalf of whom, for what purpose; in the caller's scope, texts hidden unless a reason is given."""
    rows, following = await run(
        partial(search, sought=query, cursor=cursor, limit=limit, purpose=reason)
    )
    return {
        "items": [
            row | {"values": row.get("values", {})} if reason else redacted(row) for row in rows
        ],
        "next_cursor": following,
    }


async def export_audit(
    request: Request, query: Annotated[AuditExportQuery, Query()], run: Run, reason: Reason
) -> StreamingResponse:
    """A ZIP of the rows as the search shows them, with their sealed blocks and what checks them without us."""
    if query.since and query.until and query.since >= query.until:
        raise PeriodEmpty

    async def note_export(tx: Transaction) -> ExportScope:
        found = await _resolve_scope(query, tx)
        tx.note(
            "audit.exported",
            query.person or "",
            purpose=reason,
            sought=query.model_dump(exclude_none=True),
            rows=found.rows,
        )
        return found

    found = await run(note_export)
    service, settings, caller, now = (
        request.app.state.service.name,
        request.app.state.service.settings,
        dependencies.caller_of(request),
        utc_now(),
    )
    audit = ServiceAudit(
        service=service,
        db=request.app.state.engine.db,
        key=bytes.fromhex(settings.audit_key.get_secret_value()),
        scope=found,
        has_hidden_texts=not reason,
    )
    seen = caller.claim("facility")
    head = {
        "made_at": now.isoformat(),
        "made_by": service,
        "asked_by": {
            "subject": caller.subject,
            "role": caller.role,
            "on_behalf_of": caller.on_behalf_of,
        },
        "reason": reason,
        "sought": query.model_dump(mode="json", by_alias=True, exclude_none=True),
        "facilities": "*" if EVERYTHING in seen else sorted(seen),
        "texts": "whole" if reason else "hidden",
    }
    named = {
        "content-disposition": f'attachment; filename="audit-{service}-{now:%Y%m%dT%H%M%SZ}.zip"',
        "cache-control": "no-store",
    }
    return StreamingResponse(
        write_export([audit], head, _load_signing_key(settings)),
        media_type="application/zip",
        headers=named,
    )


async def _resolve_scope(query: AuditExportQuery, tx: Transaction) -> ExportScope:
    """How far the caller's rows reach; NothingToExport where the caller has none, or none about that person at any time."""
    caller = tx.caller
    if not caller.claim("facility"):
        raise NothingToExport
    found = await find_scope(
        tx.db, {"$and": [scope_filter(caller), await query.where(tx.db, tx.session)]}, tx.session
    )
    if query.person and not found.rows:
        ever = query.model_copy(update={"actor": None, "since": None, "until": None})
        if (
            await tx.db.find_one(
                "audit",
                {"$and": [scope_filter(caller), await ever.where(tx.db, tx.session)]},
                session=tx.session,
            )
            is None
        ):
            raise NothingToExport
    return found


def _load_signing_key(settings: Settings) -> Ed25519PrivateKey:
    key = load_pem_private_key(settings.signing_key.get_secret_value().encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("an Ed25519 private key is needed")
    return key


def create_router(service: str) -> APIRouter:
    """The auditors' routes of one service; its name stands in the path, so that the gateway knows whom to ask."""
    made = APIRouter(prefix=f"/v1/operations/{service}")
    answers: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
    made.add_api_route("/audit", search_audit, methods=["GET"])
    made.add_api_route(
        "/audit/export",
        export_audit,
        methods=["GET"],
        response_class=StreamingResponse,
        responses=answers,
    )
    return made
