"""The store of origins: a collection apart from certificates, shown to no employer."""

from __future__ import annotations

from chassis.persistence.store import Index, Store
from services.certification.origins.rules import Origin, OriginUnknown


class Origins(Store[Origin]):
    """Origins, scoped by the caller's claim `lsp`."""

    kind = Origin
    collection = "origins"
    person = "participant_ref"
    unknown = OriginUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("enrolment_id", unique=True), Index("participant_ref"))

    async def find_by_enrolment(self, enrolment_id: str) -> Origin | None:
        """Return the origin that the completion of this enrolment created."""
        return await self.first({"enrolment_id": enrolment_id})

    async def list_by_participant(self, participant_ref: str) -> list[Origin]:
        """Return all origins of a person."""
        return await self.find({"participant_ref": participant_ref})
