"""Migrations of certification's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chassis.app.migrations import Migration, add_fields, upgrade_documents
from chassis.persistence.mongo import Mongo, updating
from chassis.persistence.statements import Write
from services.certification.certificates.store import Certificates
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps.store import Lsps

PAGE_DOCUMENTS = 200


async def _freeze_licences(db: Mongo, after: str) -> str | None:
    """Give each certificate of schema 2 without a licence the one of its LSP that covers it."""
    where = {"_id": {"$gt": after}, "licence": None}
    page = await db.find("certificates", where, sort=[("_id", 1)], limit=PAGE_DOCUMENTS)
    lsps = {lsp["_id"]: lsp for lsp in await db.find("lsps", {})}
    writes: list[Write] = []
    for certificate in page:
        licence = _find_licence(certificate, lsps[certificate["lsp_id"]])
        if licence is not None:
            writes.append(updating(certificate["_id"], {"$set": {"licence": licence}}))
    await db.bulk("certificates", writes)
    return page[-1]["_id"] if page else None


def _find_licence(certificate: dict[str, Any], lsp: dict[str, Any]) -> dict[str, Any] | None:
    """Return the licence that covers the first day, else one that names the scheme.

    An LSP may have corrected the dates since then; the certificate was issued under some licence.
    """
    moment: datetime = certificate["valid_from"]
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    day = aware.astimezone(WESTERN_INDONESIA).date().isoformat()
    scheme_ref = certificate["scheme_ref"]
    naming = [licence for licence in lsp["licences"] if scheme_ref in licence["scheme_refs"]]
    covering = [held for held in naming if held["valid_from"] <= day <= held["valid_until"]]
    if covering:
        return covering[0] | {"scheme_refs": [scheme_ref]}
    if naming:
        return naming[0] | {"scheme_refs": [scheme_ref], "valid_from": day}
    return None


MIGRATIONS = (
    # schema 2 names who signs the papers of an LSP, schema 3 the licences that are proposed
    upgrade_documents(Lsps, {2: add_fields(signatory=None), 3: add_fields(licence_proposals=[])}),
    # schema 2 holds licence, signatory and numbers of a certificate, and what replaces it
    upgrade_documents(
        Certificates,
        {
            2: add_fields(
                licence=None,
                signatory=None,
                numbers={"certificate_no": "", "registration_no": "", "blank_no": ""},
                paper_version=1,
                replaces=None,
                successor_id=None,
            )
        },
    ),
    Migration("certificates-licences", _freeze_licences),
)
