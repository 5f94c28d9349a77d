"""Use cases of identities: read names for a purpose, match a NIK, show one to an officer.

Every read is audited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.caller import CallingService
from services.training.identities import rules
from services.training.identities.rules import Identity, NameQuota, NamesRead
from services.training.participants.rules import CustodyState
from services.training.transaction import Transaction


async def read_identities(
    refs: Sequence[str], calling_service: CallingService, tx: Transaction
) -> dict[str, Identity]:
    """Return the identities by requested reference; unknown references are left out.

    Raises NameLimitReached beyond the day's limit of names for this service and purpose.
    """
    survivors = {ref: await tx.resolve(ref) for ref in refs}
    known = await tx.identities.many(survivors.values())
    identities = {ref: known[into] for ref, into in survivors.items() if into in known}
    await _spend_quota(calling_service, len(identities), tx)
    for participant_ref in dict.fromkeys(identity.id for identity in identities.values()):
        tx.note(
            "identity.told",
            participant_ref,
            asker=calling_service.service,
            purpose=calling_service.purpose,
        )
    return identities


async def match_person(
    nik: str, birth_date: date, calling_service: CallingService, tx: Transaction
) -> str | None:
    """Return the reference of the one person with this NIK and birth date.

    None when nobody matches, or more than one person.
    """
    same_nik = await tx.identities.list_by_lookups(tx.lookup_keys.values(nik))
    matching = [identity.id for identity in same_nik if identity.birth_date == birth_date]
    people = await tx.participants.many(matching)
    refs = [person.id for person in people.values() if person.state is not CustodyState.MERGED]
    for ref in refs:
        tx.note(
            "identity.matched", ref, asker=calling_service.service, purpose=calling_service.purpose
        )
    return refs[0] if len(refs) == 1 else None


async def show_identity(participant_ref: str, purpose: str, tx: Transaction) -> Identity:
    """Return the identity of a participant in the caller's scope; the purpose is audited."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    identity = await tx.identities.get(person.id)
    tx.note("identity.shown", identity.id, purpose=purpose)
    return identity


async def read_names(refs: Sequence[str], purpose: str, tx: Transaction) -> NamesRead:
    """Return the identities in the caller's scope by requested reference; others are left out.

    One audit row names everybody who was read, and the purpose.
    """
    await tx.resolve_many(refs)
    survivors = {ref: await tx.resolve(ref) for ref in refs}
    known = await tx.identities.many(survivors.values())
    tx.note("identities.listed", "", refs=sorted(known), purpose=purpose)
    facility_ids = {identity.facility_id for identity in known.values()}
    lists = await tx.rosters.many(facility_ids, scoped=False)
    return NamesRead(
        identities={ref: known[into] for ref, into in survivors.items() if into in known},
        as_of=min((each.taken_at for each in lists.values() if each.taken_at), default=None),
    )


async def _spend_quota(calling_service: CallingService, names: int, tx: Transaction) -> None:
    day = tx.now.date()
    quota_id = f"{calling_service.service}/{calling_service.purpose}/{day.isoformat()}"
    before = await tx.name_quotas.seek(quota_id)
    if before is None:
        unspent = NameQuota(
            id=quota_id, asker=calling_service.service, purpose=calling_service.purpose, day=day
        )
        tx.name_quotas.add(rules.spend_quota(unspent, names, tx.names_per_day))
    else:
        tx.name_quotas.save(before, rules.spend_quota(before, names, tx.names_per_day))
