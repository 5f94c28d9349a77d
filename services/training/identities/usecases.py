"""What happens: identities are told, for a stated purpose, counted and audited; a number is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.caller import CallingService
from services.training.identities import rules
from services.training.identities.rules import Identity, NameQuota
from services.training.participants.rules import Custody
from services.training.transaction import Transaction
from services.training.vault import FieldCipher


async def identities_for(
    refs: Sequence[str], calling_service: CallingService, limit: int, tx: Transaction
) -> dict[str, Identity]:
    """Who these references are, by the reference asked for; unknown ones are left out. NameLimitReached when the purpose has had its names for today."""
    day = tx.now.date()
    name = f"{calling_service.service}/{calling_service.purpose}/{day.isoformat()}"
    before = await tx.name_quotas.seek(name) or NameQuota(
        id=name, asker=calling_service.service, purpose=calling_service.purpose, day=day
    )
    resolved = {ref: await tx.resolve(ref) for ref in refs}
    found = await tx.identities.many(resolved.values())
    told = {ref: found[into] for ref, into in resolved.items() if into in found}
    after = rules.spend_quota(before, len(told), limit)
    if before.version:
        tx.name_quotas.save(before, after)
    else:
        tx.name_quotas.add(after)
    for identity in {identity.id: identity for identity in told.values()}.values():
        tx.note(
            "identity.told",
            identity.id,
            asker=calling_service.service,
            purpose=calling_service.purpose,
        )
    return told


async def match_person(
    nik: str, birth_date: date, calling_service: CallingService, tx: Transaction
) -> str | None:
    """The reference of the one person with this NIK and birth date; None when there is none or more than one."""
    vault: FieldCipher = tx.cipher
    found = [
        identity
        for identity in await tx.identities.list_by_lookups(vault.lookups(nik))
        if identity.birth_date == birth_date
    ]
    people = await tx.participants.many(identity.id for identity in found)
    living = [person.id for person in people.values() if person.state is not Custody.MERGED]
    for ref in living:
        tx.note(
            "identity.matched", ref, asker=calling_service.service, purpose=calling_service.purpose
        )
    return living[0] if len(living) == 1 else None


async def show_identity(participant_ref: str, purpose: str, tx: Transaction) -> Identity:
    """Who a participant of the caller's facility is; the purpose goes into the audit row."""
    identity = await tx.identities.get(
        (await tx.participants.get(await tx.resolve(participant_ref))).id
    )
    tx.note("identity.shown", identity.id, purpose=purpose)
    return identity
