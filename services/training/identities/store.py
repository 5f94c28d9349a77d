"""The stores of identities and of name quotas; no other collection has names or NIKs."""

from __future__ import annotations

from collections.abc import Collection

from chassis.persistence.mongo import Index
from chassis.persistence.store import Store
from services.training.identities.rules import Identity, NameQuota
from services.training.participants.rules import ParticipantUnknown

_PERSONAL_FIELDS = frozenset(
    {"name", "register_no", "birth_date", "sex", "nik", "nik_lookup", "nik_lookup_key", "nik_last4"}
)


class Identities(Store[Identity]):
    kind = Identity
    collection = "identities"
    unknown = ParticipantUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("nik_lookup"),)
    secret = _PERSONAL_FIELDS

    async def list_by_lookups(self, lookups: Collection[str]) -> list[Identity]:
        """Return everybody whose NIK has one of these lookup values.

        Unscoped: several facilities can know one person.
        """
        return await self.find(
            {"nik_lookup": {"$in": sorted(lookups)}}, sort=[("_id", 1)], scoped=False
        )


class NameQuotas(Store[NameQuota]):
    kind = NameQuota
    collection = "name_quotas"
    scope = {"own": "asker"}
    audited = False
