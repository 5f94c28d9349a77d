"""How certificates and their papers are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.certificates.rules import (
    ArchivedPaper,
    Certificate,
    CertificateState,
    CertificateUnknown,
)


class Certificates(Store[Certificate]):
    kind = Certificate
    collection = "certificates"
    person = "origin_ref"
    unknown = CertificateUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (
        Index("token", unique=True),
        Index("panel_decision_id", "origin_ref", "scheme_id", unique=True),
        Index("failure", "_id", where={"state": CertificateState.RESERVED.value}),
        Index("lsp_id", "state"),
        Index("application_id"),
    )
    secret = frozenset({"sealed_name", "sealed_credential", "token"})

    async def list_awaiting_signature(self, most: int) -> list[Certificate]:
        """Reserved certificates that nothing stands in the way of."""
        return await self.find(
            {"state": CertificateState.RESERVED, "failure": None}, sort=[("_id", 1)], limit=most
        )

    async def count_by_queue_state(self) -> dict[str, int]:
        """How many reserved certificates wait to be signed, and how many something stands in the way of. Unscoped, for figures."""
        stuck = await self.count({"state": CertificateState.RESERVED, "failure": {"$ne": None}})
        return {
            "waiting": await self.count({"state": CertificateState.RESERVED, "failure": None}),
            "stuck": stuck,
        }

    async def count_in_force(self) -> int:
        """How many are issued and neither suspended nor revoked. Unscoped, for figures."""
        return await self.count(
            {"lsp_id": {"$gt": ""}, "state": CertificateState.ISSUED}
        )  # the first half finds the index

    async def find_by_token(self, token: str) -> Certificate | None:
        """The certificate of a check address; unscoped, for whoever holds the paper may ask."""
        return await self.first({"token": token}, scoped=False)

    async def list_page(
        self,
        state: CertificateState | None,
        application_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Certificate]:
        """The caller's certificates, of one state or application if so asked."""
        where = ({"state": state} if state else {}) | (
            {"application_id": application_id} if application_id else {}
        )
        return await self.page(where, cursor=cursor, limit=limit)


class Papers(Store[ArchivedPaper]):
    kind = ArchivedPaper
    collection = "papers"
    scope = {"lsp": "lsp_id"}
    secret = frozenset({"sealed"})
