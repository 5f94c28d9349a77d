"""Routes for auditors: search and export; texts are hidden unless a reason is given.

Not here: what a search finds (audit_search), the exported file (audit_export).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from chassis.admin.audit_export.export import ExportScope, ServiceAudit, find_scope, write_export
from chassis.admin.audit_search import AuditQuery, redacted, scope_filter, search
from chassis.caller import EVERYTHING, Caller
from chassis.errors import NotFound, Refused
from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.ids import utc_now
from chassis.keys import load_private_key
from chassis.persistence.unit_of_work import Transaction
from chassis.texts import TEXTS

MIN_REASON_LENGTH = 10
MAX_REASON_LENGTH = 500


class ReasonUnfit(Refused):
    """The reason in the header `access-reason` is too short or too long.

    The reason is written to the audit and to an export. Without the header, texts are hidden.
    """

    title = TEXTS["errors.reason_unfit"]
    field = "access-reason"


class PeriodEmpty(Refused):
    """The end of the period is not after its beginning."""

    title = TEXTS["errors.period_empty"]
    field = "to"


class NothingToExport(NotFound):
    """The caller sees no row of this person, or no row at all."""

    title = TEXTS["errors.nothing_to_export"]


class AuditExportQuery(AuditQuery):
    """The conditions of an export.

    Unknown fields are refused, because ignoring one would export more than was asked for.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


async def read_reason(access_reason: Annotated[str | None, Header()] = None) -> str:
    """Return the caller's reason to read texts, "" without the header. Raises ReasonUnfit."""
    if access_reason is None:
        return ""
    # Starlette decodes headers as Latin-1, but clients send UTF-8.
    reason = access_reason.encode("latin-1", "replace").decode(errors="replace").strip()
    if not MIN_REASON_LENGTH <= len(reason) <= MAX_REASON_LENGTH:
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
    """Search who did what to whose data, on behalf of whom and for what purpose.

    The search covers the caller's scope. Texts are hidden unless a reason is given.
    """
    command = partial(search, sought=query, cursor=cursor, limit=limit, purpose=reason)
    rows, following = await run(command)
    if reason:
        items = [row | {"values": row.get("values", {})} for row in rows]
    else:
        items = [redacted(row) for row in rows]
    return {"items": items, "next_cursor": following}


async def export_audit(
    request: Request, query: Annotated[AuditExportQuery, Query()], run: Run, reason: Reason
) -> StreamingResponse:
    """Export the rows of a search as a ZIP with their sealed blocks and a verifier."""
    if query.since and query.until and query.since >= query.until:
        raise PeriodEmpty

    async def note_export(tx: Transaction) -> ExportScope:
        scope = await _resolve_scope(query, tx)
        tx.note(
            "audit.exported",
            query.person or "",
            purpose=reason,
            sought=query.model_dump(exclude_none=True),
            rows=scope.rows,
        )
        return scope

    scope = await run(note_export)
    service = request.app.state.service.name
    settings = request.app.state.service.settings
    now = utc_now()
    audit = ServiceAudit(
        service=service,
        db=request.app.state.engine.db,
        key=bytes.fromhex(settings.audit_key.get_secret_value()),
        scope=scope,
        has_hidden_texts=not reason,
    )
    head = _manifest_head(service, dependencies.caller_of(request), query, reason, now)
    headers = {
        "content-disposition": f'attachment; filename="audit-{service}-{now:%Y%m%dT%H%M%SZ}.zip"',
        "cache-control": "no-store",
    }
    return StreamingResponse(
        write_export([audit], head, load_private_key(settings.signing_key.get_secret_value())),
        media_type="application/zip",
        headers=headers,
    )


def _manifest_head(
    service: str, caller: Caller, query: AuditExportQuery, reason: str, now: datetime
) -> dict[str, Any]:
    """Return the manifest's facts about who made the export, for whom and why."""
    facilities = caller.claim("facility")
    return {
        "made_at": now.isoformat(),
        "made_by": service,
        "asked_by": {
            "subject": caller.subject,
            "role": caller.role,
            "on_behalf_of": caller.on_behalf_of,
        },
        "reason": reason,
        "sought": query.model_dump(mode="json", by_alias=True, exclude_none=True),
        "facilities": "*" if EVERYTHING in facilities else sorted(facilities),
        "texts": "whole" if reason else "hidden",
    }


async def _resolve_scope(query: AuditExportQuery, tx: Transaction) -> ExportScope:
    """Return the scope of an export.

    Raises NothingToExport if the caller has no facility, or sees no row about the person at any
    time.
    """
    caller = tx.caller
    if not caller.claim("facility"):
        raise NothingToExport
    where = {"$and": [scope_filter(caller), await query.where(tx.db, tx.session)]}
    scope = await find_scope(tx.db, where, tx.session)
    if query.person and not scope.rows:
        at_any_time = query.model_copy(update={"actor": None, "since": None, "until": None})
        where = {"$and": [scope_filter(caller), await at_any_time.where(tx.db, tx.session)]}
        if await tx.db.find_one("audit", where, session=tx.session) is None:
            raise NothingToExport
    return scope


def create_router(service: str) -> APIRouter:
    """Return the auditors' routes of one service, whose name is part of the paths."""
    auditors = APIRouter(prefix=f"/v1/operations/{service}")
    responses: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
    auditors.add_api_route("/audit", search_audit, methods=["GET"])
    auditors.add_api_route(
        "/audit/export",
        export_audit,
        methods=["GET"],
        response_class=StreamingResponse,
        responses=responses,
    )
    return auditors
