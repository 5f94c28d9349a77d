"""How the money of one order line is divided, and the journals that say so. Not here: who may change a policy, when an order is paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.marketplace.ledger import rules as ledger
from services.marketplace.ledger.rules import Journal, Leg, Side, credit, debit
from services.marketplace.money import Rupiah, allocate, total
from services.marketplace.policies.rules import Party, PolicyTerms, ShareBase, share_weights

PREMI, PNBP, MODAL, COST = "premi", "pnbp", "modal", "biaya_produksi"
PARTIES = (COST, PREMI, PNBP, MODAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContribution:
    """The part of a line that comes from one batch, and the work units of those who made that batch."""

    batch_id: str
    qty: int
    units_by_participant: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """One line's money: the four parts sum to what the buyer paid. `shortfall` is cost that the sale did not bring back."""

    cost: Rupiah
    premi: Mapping[str, Rupiah]
    pnbp: Rupiah
    modal: Rupiah
    shortfall: Rupiah

    @property
    def amounts_by_party(self) -> dict[str, Rupiah]:
        """The sum of each party's part; no person is named. The capital fund bears a shortfall."""
        return {
            COST: Rupiah(self.cost + self.shortfall),
            PREMI: total(self.premi.values()),
            PNBP: self.pnbp,
            MODAL: Rupiah(self.modal - self.shortfall),
        }


def divide(
    paid: Rupiah, cost: Rupiah, terms: PolicyTerms, contributions: Sequence[BatchContribution]
) -> Division:
    """Divide what was paid for a line.

    Net of cost: the cost comes back first and the shares are of the rest; when nothing is left they are 0 and the capital fund bears the shortfall.
    Gross: the shares are of all that was paid and no cost comes back from the sale.
    """
    net = terms.base is ShareBase.NET_OF_COST
    recovered = Rupiah(min(cost, paid)) if net else Rupiah(0)
    shares = allocate(paid - recovered, share_weights(terms.shares))
    return Division(
        cost=recovered,
        premi=divide_premi(shares.get(Party.PREMI, Rupiah(0)), contributions),
        pnbp=shares.get(Party.PNBP, Rupiah(0)),
        modal=shares.get(Party.MODAL, Rupiah(0)),
        shortfall=Rupiah(cost - recovered) if net else Rupiah(0),
    )


def divide_premi(pool: Rupiah, contributions: Sequence[BatchContribution]) -> dict[str, Rupiah]:
    """Divide a premi pool: over the batches by the pieces they gave, then within each by work units. Nobody with 0 rupiah is listed."""
    owed: dict[str, Rupiah] = {}
    by_batch = allocate(pool, [(part.batch_id, part.qty) for part in contributions])
    for part in contributions:
        for person, amount in allocate(
            by_batch[part.batch_id], list(part.units_by_participant.items())
        ).items():
            owed[person] = Rupiah(owed.get(person, 0) + amount)
    return {person: amount for person, amount in owed.items() if amount}


def sale_legs(paid: Rupiah, division: Division) -> tuple[Leg, ...]:
    """The legs of a sale: one debit of what the gateway owes us, a credit for each part that is not zero."""
    parts = [
        (ledger.PRODUCTION_COST, division.cost),
        *((ledger.premi_payable(person), amount) for person, amount in division.premi.items()),
        (ledger.PNBP_PAYABLE, division.pnbp),
        (ledger.CAPITAL_FUND, division.modal),
    ]
    return (
        debit(ledger.PROVIDER_RECEIVABLE, paid),
        *(credit(account, amount) for account, amount in parts if amount),
    )


def shortfall_legs(shortfall: Rupiah) -> tuple[Leg, ...]:
    """The legs by which the capital fund bears cost that a sale did not bring back."""
    return debit(ledger.CAPITAL_FUND, shortfall), credit(ledger.PRODUCTION_COST, shortfall)


def sum_by_party(journals: Iterable[Journal]) -> dict[str, Rupiah]:
    """What each party holds by these journals: the books' own answer to how an order was divided."""
    held: dict[str, int] = dict.fromkeys(PARTIES, 0)
    for leg in (leg for journal in journals for leg in journal.legs):
        if party := _party_of(leg.account):
            held[party] += leg.amount_idr if leg.side is Side.CREDIT else -leg.amount_idr
    return {party: Rupiah(amount) for party, amount in held.items()}


def _party_of(account: str) -> str | None:
    named = {
        ledger.PRODUCTION_COST: COST,
        "utang_premi": PREMI,
        ledger.PNBP_PAYABLE: PNBP,
        ledger.CAPITAL_FUND: MODAL,
    }
    return named.get(account.partition(":")[0])
