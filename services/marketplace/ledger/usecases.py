"""What happens: journals are posted. `post_journal` is their only writer."""

from __future__ import annotations

from services.marketplace.ledger import rules
from services.marketplace.ledger.rules import Book, Journal, Leg, Side, credit, debit, premi_payable
from services.marketplace.transaction import Transaction
from services.marketplace.zones import local_day


async def post_journal(
    key: str,
    legs: tuple[Leg, ...],
    *,
    facility_id: str,
    zone: str,
    source: str,
    tx: Transaction,
    policy_id: str = "",
) -> Journal:
    """Write one journal of the Lapas in this transaction, dated today in its zone; refused unless it is sound. The key makes it once."""
    journal = Journal(
        id=key,
        book=Book.LAPAS,
        facility_id=facility_id,
        effective_on=local_day(tx.now, zone),
        posted_at=tx.now,
        legs=legs,
        source=source,
        actor=tx.caller.subject,
        policy_id=policy_id,
    )
    rules.check_journal(journal)
    return tx.journals.add(journal, scoped=False)


async def reverse_journals(source: str, *, zone: str, tx: Transaction) -> list[Journal]:
    """Undo all journals of a source that are not undone yet; those that were."""
    journals = await tx.journals.list_by_source(source)
    undone = {journal.reverses for journal in journals}
    standing = [
        journal for journal in journals if not journal.reverses and journal.id not in undone
    ]
    for journal in standing:
        undoing = rules.reverse(
            journal,
            key=f"reversal:{journal.id}",
            effective_on=local_day(tx.now, zone),
            posted_at=tx.now,
            actor=tx.caller.subject,
        )
        tx.journals.add(undoing, scoped=False)
    return standing


async def move_premi(from_ref: str, into_ref: str, event_id: str, tx: Transaction) -> None:
    """Move what is owed to a merged participant to the surviving one, Lapas by Lapas; a repeat finds nothing left to move."""
    account = premi_payable(from_ref)
    owed: dict[str, int] = {}
    for journal in await tx.journals.list_by_account(account):
        for leg in journal.legs:
            if leg.account == account:
                owed[journal.facility_id] = owed.get(journal.facility_id, 0) + (
                    leg.amount_idr if leg.side is Side.CREDIT else -leg.amount_idr
                )
    for facility_id, amount in sorted(owed.items()):
        if amount > 0:
            legs = (debit(account, amount), credit(premi_payable(into_ref), amount))
            zone = await tx.workshops.get_zone(facility_id)
            await post_journal(
                f"merge:{facility_id}:{event_id}",
                legs,
                facility_id=facility_id,
                zone=zone,
                source=f"merge:{from_ref}",
                tx=tx,
            )
