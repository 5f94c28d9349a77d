"""Use cases of the books.

`post_journal` and `reverse_journals` are the only writers of journals.
Not here: rules, and which legs a sale has (proceeds).
"""

from __future__ import annotations

from chassis.persistence.store import Page
from services.marketplace.ledger import rules
from services.marketplace.ledger.rules import Book, Journal, Leg, credit, debit, premi_payable
from services.marketplace.ledger.store import AccountSum
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
    """Post one journal in the book of the Lapas, dated today in its zone.

    The key makes a second posting of the same fact a duplicate.
    """
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


async def reverse_journals(
    source: str, keys: frozenset[str], *, zone: str, tx: Transaction
) -> list[Journal]:
    """Reverse the journals of a source under these keys that are not reversed yet.

    Returns these journals. The premi of a participant who was merged since is taken from the
    surviving one, who got it.
    """
    stored = rules.list_unreversed(await tx.journals.list_by_source(source))
    journals = await _resolve([journal for journal in stored if journal.id in keys], tx)
    for journal in journals:
        reversal = rules.reverse(
            journal,
            key=f"reversal:{journal.id}",
            effective_on=local_day(tx.now, zone),
            posted_at=tx.now,
            actor=tx.caller.subject,
        )
        tx.journals.add(reversal, scoped=False)
    return journals


async def move_premi(from_ref: str, into_ref: str, event_id: str, tx: Transaction) -> None:
    """Move the premi owed to a merged participant to the surviving one, Lapas by Lapas.

    A repeated merge finds a balance of zero and posts nothing.
    """
    account = premi_payable(from_ref)
    journals = await tx.journals.list_by_account(account)
    for facility_id, amount in sorted(rules.sum_owed_by_facility(journals, account).items()):
        if amount <= 0:
            continue
        await post_journal(
            f"merge:{facility_id}:{event_id}",
            (debit(account, amount), credit(premi_payable(into_ref), amount)),
            facility_id=facility_id,
            zone=await tx.workshops.get_zone(facility_id),
            source=f"merge:{from_ref}",
            tx=tx,
        )


async def _resolve(journals: list[Journal], tx: Transaction) -> list[Journal]:
    """Return the journals on the accounts of surviving participants.

    A merge that runs at the same time conflicts, because it changes the worker.
    """
    people = rules.participants_of(journals)
    await tx.resolve_many(people)
    survivors = {person: await tx.resolve(person) for person in people}
    for worker in (await tx.workers.many(survivors.values(), scoped=False)).values():
        tx.workers.hold(worker)
    return [rules.resolve_accounts(journal, survivors) for journal in journals]


async def list_journals(
    source: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Journal]:
    """Return one page of journals, of one source or all; the read of people's premi is audited."""
    page = await tx.journals.list_page(source, cursor, limit)
    tx.note("journals.listed", source or "", refs=sorted(rules.participants_of(page.items)))
    return page


async def sum_journals(tx: Transaction) -> list[AccountSum]:
    """Return the sums of all journals by book, account and side."""
    return await tx.journals.sum_by_account()
