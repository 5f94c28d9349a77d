"""Rules that divide the money of one order line, and the journal legs that record it.

Not here: who may change a policy (policies), when an order is paid (orders).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.marketplace.ledger import rules as ledger
from services.marketplace.ledger.rules import Journal, Leg, Side, credit, debit
from services.marketplace.money import Rupiah, allocate, total
from services.marketplace.policies.rules import Party, PolicyTerms, ShareBase, share_weights

COST = "biaya_produksi"
PREMI = "premi"
PNBP = "pnbp"
MODAL = "modal"
PARTIES = (COST, PREMI, PNBP, MODAL)

PARTY_BY_ACCOUNT: Mapping[str, str] = {
    ledger.PRODUCTION_COST: COST,
    "utang_premi": PREMI,
    ledger.PNBP_PAYABLE: PNBP,
    ledger.CAPITAL_FUND: MODAL,
}
"""The party of each account, by the account's name without its subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContribution:
    """The pieces of a line that come from one batch, and the work units of those who made it."""

    batch_id: str
    qty: int
    units_by_participant: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The division of one line: cost, premi, PNBP and capital sum to what the buyer paid.

    `shortfall` is the production cost that the sale did not recover.
    """

    cost: Rupiah
    premi: Mapping[str, Rupiah]
    pnbp: Rupiah
    modal: Rupiah
    shortfall: Rupiah

    @property
    def amounts_by_party(self) -> dict[str, Rupiah]:
        """The amount of each party, without persons. The capital fund bears a shortfall."""
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

    Net of cost: the cost is recovered first and the shares divide the rest. If nothing is left,
    the shares are 0 and the capital fund bears the shortfall.
    Gross: the shares divide everything that was paid. The sale recovers no cost, so the capital
    fund bears all of it.
    """
    recovered = min(cost, paid) if terms.base is ShareBase.NET_OF_COST else Rupiah(0)
    shares = allocate(paid - recovered, share_weights(terms.shares))
    return Division(
        cost=recovered,
        premi=divide_premi(shares.get(Party.PREMI, Rupiah(0)), contributions),
        pnbp=shares.get(Party.PNBP, Rupiah(0)),
        modal=shares.get(Party.MODAL, Rupiah(0)),
        shortfall=Rupiah(cost - recovered),
    )


def divide_premi(pool: Rupiah, contributions: Sequence[BatchContribution]) -> dict[str, Rupiah]:
    """Divide a premi pool by batch, then within each batch by work units.

    The weight of a batch is the number of its pieces. A participant with 0 rupiah is not listed.
    """
    owed: dict[str, Rupiah] = {}
    pieces = [(contribution.batch_id, contribution.qty) for contribution in contributions]
    pool_by_batch = allocate(pool, pieces)
    for contribution in contributions:
        units = list(contribution.units_by_participant.items())
        for person, amount in allocate(pool_by_batch[contribution.batch_id], units).items():
            owed[person] = Rupiah(owed.get(person, 0) + amount)
    return {person: amount for person, amount in owed.items() if amount}


def sale_legs(paid: Rupiah, division: Division) -> tuple[Leg, ...]:
    """Return the legs of a sale: one debit of the provider receivable, a credit per share.

    A share of zero has no leg.
    """
    credits_ = [(ledger.PRODUCTION_COST, division.cost)]
    for person, amount in division.premi.items():
        credits_.append((ledger.premi_payable(person), amount))
    credits_.append((ledger.PNBP_PAYABLE, division.pnbp))
    credits_.append((ledger.CAPITAL_FUND, division.modal))
    credit_legs = [credit(account, amount) for account, amount in credits_ if amount]
    return (debit(ledger.PROVIDER_RECEIVABLE, paid), *credit_legs)


def issue_legs(cost_idr: int) -> tuple[Leg, ...]:
    """Return the legs of issued material and ordered work; less than before comes back as cash."""
    if cost_idr < 0:
        return debit(ledger.CASH, -cost_idr), credit(ledger.PRODUCTION_COST, -cost_idr)
    return debit(ledger.PRODUCTION_COST, cost_idr), credit(ledger.CASH, cost_idr)


def shortfall_legs(shortfall: Rupiah) -> tuple[Leg, ...]:
    """Return the legs by which the capital fund bears cost that a sale did not recover."""
    return debit(ledger.CAPITAL_FUND, shortfall), credit(ledger.PRODUCTION_COST, shortfall)


def sum_by_party(journals: Iterable[Journal]) -> dict[str, Rupiah]:
    """Return the balance of each party by these journals: how the books divided an order."""
    balances: dict[str, int] = dict.fromkeys(PARTIES, 0)
    for journal in journals:
        for leg in journal.legs:
            party = PARTY_BY_ACCOUNT.get(leg.account.partition(":")[0])
            if party is None:
                continue
            balances[party] += leg.amount_idr if leg.side is Side.CREDIT else -leg.amount_idr
    return {party: Rupiah(amount) for party, amount in balances.items()}
