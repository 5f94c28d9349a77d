"""What is allowed: double-entry journals. A journal is written once and never changed; a correction is a reversing journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.marketplace.money import Rupiah, total


class JournalUnknown(NotFound):
    title = "Jurnal tidak ditemukan"


class JournalUnbalanced(Refused):
    title = "Jurnal tidak seimbang"


class JournalManyToMany(Refused):
    title = "Jurnal harus punya tepat satu baris di salah satu sisi"

    code = "journal_legs_tangled"


class AccountUnknown(Refused):
    title = "Akun tidak ada dalam buku ini"


class Book(StrEnum):
    """Three legal positions that never mix."""

    LAPAS = "LAPAS"
    WBP_TRUST = "WBP_TRUST"
    KOPERASI = "KOPERASI"


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


PROVIDER_RECEIVABLE = "piutang_gateway"
BUYER_RECEIVABLE = "piutang_pembeli"
PRODUCTION_COST = "biaya_produksi"
PNBP_PAYABLE = "utang_pnbp"
CAPITAL_FUND = "dana_modal_produksi"

CHART_OF_ACCOUNTS: Mapping[Book, frozenset[str]] = {
    Book.LAPAS: frozenset(
        {
            *(
                "kas_titipan",
                PROVIDER_RECEIVABLE,
                BUYER_RECEIVABLE,
                "piutang_premi:*",
                "piutang_pnbp",
                "selisih_kas",
                PNBP_PAYABLE,
                "utang_premi:*",
                "utang_refund:*",
            ),
            *(
                "utang_pembiayaan:*",
                "titipan_ongkir",
                CAPITAL_FUND,
                PRODUCTION_COST,
                "beban_gateway",
                "antar_buku:*",
            ),
        }
    ),
    Book.WBP_TRUST: frozenset({"kas_trust", "tabungan:*", "saldo_belanja:*", "antar_buku:*"}),
    Book.KOPERASI: frozenset(
        {
            *(
                "kas",
                "persediaan",
                "simpanan_pokok:*",
                "simpanan_wajib:*",
                "simpanan_sukarela:*",
                "piutang_pinjaman:*",
                "pembiayaan_produksi:*",
                "pendapatan_jasa",
            ),
            *(
                "penjualan_anggota",
                "penjualan_non_anggota",
                "hpp",
                "beban",
                "cadangan",
                "shu_belum_dibagi",
                "utang_shu:*",
            ),
            *("dana_pendidikan", "dana_sosial", "dana_pengurus", "dana_karyawan", "antar_buku:*"),
        }
    ),
}
"""The accounts of each book; `name:*` is one account per subject."""


def premi_payable(participant_ref: str) -> str:
    """What is owed to one participant."""
    return f"utang_premi:{participant_ref}"


def refund_payable(order_id: str) -> str:
    """Money received that fits no order, or must go back."""
    return f"utang_refund:{order_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One account on one side."""

    account: str
    side: Side
    amount_idr: Rupiah


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One entry; its id is its key, made of business identity, so that the same fact is booked once."""

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
    """A debit leg."""
    return Leg(account=account, side=Side.DEBIT, amount_idr=Rupiah(amount_idr))


def credit(account: str, amount_idr: int) -> Leg:
    """A credit leg."""
    return Leg(account=account, side=Side.CREDIT, amount_idr=Rupiah(amount_idr))


def side_total(legs: Iterable[Leg], side: Side) -> Rupiah:
    """The sum of one side."""
    return total(leg.amount_idr for leg in legs if leg.side is side)


def check_journal(journal: Journal) -> None:
    """Refuse a journal that is not balanced, tangled (many to many), or outside its book."""
    debits, credits_ = side_total(journal.legs, Side.DEBIT), side_total(journal.legs, Side.CREDIT)
    if any(leg.amount_idr <= 0 for leg in journal.legs) or debits != credits_ or debits == 0:
        raise JournalUnbalanced(debit=debits, credit=credits_)
    sides = [leg.side for leg in journal.legs]
    if 1 not in {sides.count(Side.DEBIT), sides.count(Side.CREDIT)}:
        raise JournalManyToMany
    for leg in journal.legs:
        head, colon, subject = leg.account.partition(":")
        if (f"{head}:*" if colon else head) not in CHART_OF_ACCOUNTS[journal.book] or (
            colon and not subject
        ):
            raise AccountUnknown(account=leg.account, book=journal.book)


def reverse(
    journal: Journal, *, key: str, effective_on: date, posted_at: datetime, actor: str
) -> Journal:
    """The journal that undoes another: the same legs on the other side, dated today."""
    swapped = tuple(
        replace(leg, side=Side.CREDIT if leg.side is Side.DEBIT else Side.DEBIT)
        for leg in journal.legs
    )
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
