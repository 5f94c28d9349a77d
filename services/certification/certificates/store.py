"""The stores of certificates and their papers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chassis.persistence.store import Index, Page, Store
from services.certification.certificates.rules import (
    ArchivedPaper,
    Certificate,
    CertificateState,
    CertificateUnknown,
)


class Certificates(Store[Certificate]):
    """Certificates, scoped by the caller's claim `lsp`."""

    kind = Certificate
    collection = "certificates"
    person = "origin_ref"
    unknown = CertificateUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (
        Index("token", unique=True),
        # A certificate that was issued again shares decision, origin and scheme with the first one.
        Index(
            "origin_ref",
            "panel_decision_id",
            "scheme_id",
            unique=True,
            where={"replaces": None},
        ),
        Index("failure", "_id", where={"state": CertificateState.RESERVED.value}),
        Index("lsp_id", "state"),
        Index("application_id"),
        Index("lsp_id", "key_name", "state"),
        Index("lsp_id", "licence.number"),
        # BNSP gives a number once; a certificate that was issued again keeps it.
        *(
            Index(
                "lsp_id",
                f"numbers.{number}",
                unique=True,
                where={f"numbers.{number}": {"$gt": ""}, "successor_id": None},
            )
            for number in ("certificate_no", "registration_no", "blank_no")
        ),
    )
    former_indexes = ("panel_decision_id_origin_ref_scheme_id_unique",)
    schema = 2
    secret = frozenset({"sealed_name", "sealed_credential", "token"})

    async def count_under_licence(self, lsp_id: str, number: str) -> int:
        """Return how many certificates of an LSP were issued under the licence of this number."""
        return await self.count({"lsp_id": lsp_id, "licence.number": number})

    async def list_awaiting_signature(self, most: int) -> list[Certificate]:
        """Return up to `most` reserved certificates without a failure, ordered by id."""
        return await self.find(
            {"state": CertificateState.RESERVED, "failure": None}, sort=[("_id", 1)], limit=most
        )

    async def list_in_force_of_keys(
        self, lsp_id: str, key_names: list[str], now: datetime, most: int
    ) -> list[Certificate]:
        """Return up to `most` certificates of these keys that are in force and not linked yet."""
        where: dict[str, Any] = {
            "lsp_id": lsp_id,
            "key_name": {"$in": key_names},
            "state": {"$in": [CertificateState.ISSUED, CertificateState.SUSPENDED]},
            "successor_id": None,
            "valid_until": {"$gt": now},
        }
        return await self.find(where, limit=most, scoped=False)

    async def count_of_key(self, lsp_id: str, key_name: str, now: datetime) -> dict[str, int]:
        """Return how many unexpired certificates of a key wait, and how many are replaced."""
        of_key = {"lsp_id": lsp_id, "key_name": key_name, "valid_until": {"$gt": now}}
        in_force = [CertificateState.ISSUED, CertificateState.SUSPENDED]
        waiting = await self.count(of_key | {"state": {"$in": in_force}})
        replaced = await self.count(of_key | {"state": CertificateState.REPLACED})
        return {"waiting": waiting, "replaced": replaced}

    async def count_by_queue_state(self) -> dict[str, int]:
        """Return how many reserved certificates wait to be signed, and how many have failed."""
        stuck = await self.count({"state": CertificateState.RESERVED, "failure": {"$ne": None}})
        waiting = await self.count({"state": CertificateState.RESERVED, "failure": None})
        return {"waiting": waiting, "stuck": stuck}

    async def count_in_force(self) -> int:
        """Return how many are issued and neither suspended nor revoked."""
        # The condition on lsp_id is always true; it lets the query use the index (lsp_id, state).
        return await self.count({"lsp_id": {"$gt": ""}, "state": CertificateState.ISSUED})

    async def find_by_token(self, token: str) -> Certificate | None:
        """Return the certificate of a check address.

        Unscoped, because anybody who holds the paper may ask.
        """
        return await self.first({"token": token}, scoped=False)

    async def list_page(
        self,
        state: CertificateState | None,
        application_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Certificate]:
        """Return a page of the caller's certificates, optionally of one state or application."""
        where: dict[str, Any] = {}
        if state is not None:
            where["state"] = state
        if application_id:
            where["application_id"] = application_id
        return await self.page(where, cursor=cursor, limit=limit)


class Papers(Store[ArchivedPaper]):
    """Archived papers, scoped by the caller's claim `lsp`."""

    kind = ArchivedPaper
    collection = "papers"
    scope = {"lsp": "lsp_id"}
    secret = frozenset({"sealed"})
