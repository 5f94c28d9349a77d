"""Rules of double-entry journals.

A journal is written once and never changed; a correction is a reversing journal.
Not here: which accounts a sale uses (proceeds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.marketplace.money import Rupiah, total
from services.marketplace.settings import TEXTS


class JournalUnknown(NotFound):
    title = TEXTS["errors.journal_unknown"]


class JournalUnbalanced(Refused):
    title = TEXTS["errors.journal_unbalanced"]


class JournalManyToMany(Refused):
    code = "journal_legs_tangled"
    title = TEXTS["errors.journal_legs_tangled"]


class AccountUnknown(Refused):
    title = TEXTS["errors.account_unknown"]


class Book(StrEnum):
    """The three books: separate legal positions that never mix."""

    LAPAS = "LAPAS"
    WBP_TRUST = "WBP_TRUST"
    KOPERASI = "KOPERASI"


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


_OTHER_SIDE = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}


PROVIDER_RECEIVABLE = "piutang_gateway"
BUYER_RECEIVABLE = "piutang_pembeli"
PRODUCTION_COST = "biaya_produksi"
PREMI_PAYABLE = "utang_premi"
PNBP_PAYABLE = "utang_pnbp"
CASH = "kas_titipan"
CAPITAL_FUND = "dana_modal_produksi"

CHART_OF_ACCOUNTS: Mapping[Book, frozenset[str]] = {
    Book.LAPAS: frozenset(
        {
            CASH,
            PROVIDER_RECEIVABLE,
            BUYER_RECEIVABLE,
            "piutang_premi:*",
            "piutang_pnbp",
            "selisih_kas",
            PNBP_PAYABLE,
            f"{PREMI_PAYABLE}:*",
            "utang_refund:*",
            "utang_pembiayaan:*",
            "titipan_ongkir",
            CAPITAL_FUND,
            PRODUCTION_COST,
            "beban_gateway",
            "antar_buku:*",
        }
    ),
    Book.WBP_TRUST: frozenset({"kas_trust", "tabungan:*", "saldo_belanja:*", "antar_buku:*"}),
    Book.KOPERASI: frozenset(
        {
            "kas",
            "persediaan",
            "simpanan_pokok:*",
            "simpanan_wajib:*",
            "simpanan_sukarela:*",
            "piutang_pinjaman:*",
            "pembiayaan_produksi:*",
            "pendapatan_jasa",
            "penjualan_anggota",
            "penjualan_non_anggota",
            "hpp",
            "beban",
            "cadangan",
            "shu_belum_dibagi",
            "utang_shu:*",
            "dana_pendidikan",
            "dana_sosial",
            "dana_pengurus",
            "dana_karyawan",
            "antar_buku:*",
        }
    ),
}
"""The accounts of each book; `name:*` is one account per subject."""


def premi_payable(participant_ref: str) -> str:
    """Return the account of the premi owed to one participant."""
    return f"{PREMI_PAYABLE}:{participant_ref}"


def refund_payable(order_id: str) -> str:
    """Return the account of money that is owed back to the buyer of an order."""
    return f"utang_refund:{order_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """An amount on one side of one account."""

    account: str
    side: Side
    amount_idr: Rupiah


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A journal. Its id is a business key, so that the same fact is booked once."""

    id: str
    book: Book
    facility_id: str
    effective_on: date
    posted_at: datetime
    legs: tuple[Leg, ...]
    source: str
    actor: str
    policy_id: str = ""
    reverses: str = ""
    version: int = 0


def debit(account: str, amount_idr: int) -> Leg:
    """Return a debit leg."""
    return Leg(account=account, side=Side.DEBIT, amount_idr=Rupiah(amount_idr))


def credit(account: str, amount_idr: int) -> Leg:
    """Return a credit leg."""
    return Leg(account=account, side=Side.CREDIT, amount_idr=Rupiah(amount_idr))


def side_total(legs: Iterable[Leg], side: Side) -> Rupiah:
    """Return the sum of one side."""
    return total(leg.amount_idr for leg in legs if leg.side is side)


def check_journal(journal: Journal) -> None:
    """Check that the journal balances, has one leg on one side, and uses accounts of its book.

    Raises JournalUnbalanced, JournalManyToMany or AccountUnknown.
    """
    debits = side_total(journal.legs, Side.DEBIT)
    credits_ = side_total(journal.legs, Side.CREDIT)
    is_every_leg_positive = all(leg.amount_idr > 0 for leg in journal.legs)
    if debits == 0 or debits != credits_ or not is_every_leg_positive:
        raise JournalUnbalanced(debit=debits, credit=credits_)
    sides = [leg.side for leg in journal.legs]
    if 1 not in {sides.count(Side.DEBIT), sides.count(Side.CREDIT)}:
        raise JournalManyToMany
    for leg in journal.legs:
        if not _is_account_of(journal.book, leg.account):
            raise AccountUnknown(account=leg.account, book=journal.book)


def participant_of(account: str) -> str | None:
    """Return the participant whose premi an account holds; None for any other account."""
    name, _, subject = account.partition(":")
    return subject if name == PREMI_PAYABLE else None


def participants_of(journals: Iterable[Journal]) -> set[str]:
    """Return the participants whose premi these journals hold."""
    people = {participant_of(leg.account) for journal in journals for leg in journal.legs}
    return {person for person in people if person is not None}


def resolve_accounts(journal: Journal, survivors: Mapping[str, str]) -> Journal:
    """Return the journal with the premi of merged participants on their survivors' accounts."""
    legs: list[Leg] = []
    for leg in journal.legs:
        person = participant_of(leg.account)
        account = leg.account if person is None else premi_payable(survivors[person])
        legs.append(replace(leg, account=account))
    return replace(journal, legs=tuple(legs))


def reverse(
    journal: Journal, *, key: str, effective_on: date, posted_at: datetime, actor: str
) -> Journal:
    """Return the reversing journal: the same legs on the other side."""
    swapped = tuple(replace(leg, side=_OTHER_SIDE[leg.side]) for leg in journal.legs)
    return replace(
        journal,
        id=key,
        legs=swapped,
        reverses=journal.id,
        effective_on=effective_on,
        posted_at=posted_at,
        actor=actor,
        version=0,
    )


def list_unreversed(journals: Sequence[Journal]) -> list[Journal]:
    """Return the journals that are neither reversals nor reversed."""
    reversed_ids = {journal.reverses for journal in journals}
    return [
        journal for journal in journals if not journal.reverses and journal.id not in reversed_ids
    ]


def sum_owed_by_facility(journals: Iterable[Journal], account: str) -> dict[str, int]:
    """Return the credit balance of one account by facility, in rupiah."""
    owed: dict[str, int] = {}
    for journal in journals:
        legs = [leg for leg in journal.legs if leg.account == account]
        balance = side_total(legs, Side.CREDIT) - side_total(legs, Side.DEBIT)
        owed[journal.facility_id] = owed.get(journal.facility_id, 0) + balance
    return owed


def _is_account_of(book: Book, account: str) -> bool:
    name, colon, subject = account.partition(":")
    if not colon:
        return name in CHART_OF_ACCOUNTS[book]
    return bool(subject) and f"{name}:*" in CHART_OF_ACCOUNTS[book]
