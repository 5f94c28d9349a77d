"""Integer rupiah and their exact division.

Not here: accounts, policies, parties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NewType

from pydantic import Field

Rupiah = NewType("Rupiah", int)
"""Whole rupiah; there is no smaller unit and no fraction."""

Idr = Annotated[int, Field(strict=True, ge=0, le=999_999_999_999)]
"""Rupiah in a request body: a JSON integer, no text, no fraction."""

Bps = NewType("Bps", int)
"""Basis points: 1/10,000."""

WHOLE_BPS = Bps(10_000)


def total(amounts: Iterable[int]) -> Rupiah:
    """Return the sum of the amounts."""
    return Rupiah(sum(amounts))


def allocate(amount: int, weights: Sequence[tuple[str, int]]) -> dict[str, Rupiah]:
    """Divide `amount` by integer weights with the largest remainder method.

    The shares sum to the amount. A tie goes to the name listed first, and a zero weight gets
    nothing. Raises ValueError when the amount or a weight is negative, when all weights are zero,
    or when a name is repeated.
    """
    weight_sum = sum(weight for _, weight in weights)
    has_negative_weight = any(weight < 0 for _, weight in weights)
    if amount < 0 or weight_sum <= 0 or has_negative_weight:
        message = "an amount >= 0 is divided by weights >= 0 whose sum is > 0"
        raise ValueError(message)
    shares = {name: amount * weight // weight_sum for name, weight in weights}
    if len(shares) != len(weights):
        message = "a name is repeated among the weights"
        raise ValueError(message)
    remainders = [amount * weight % weight_sum for _, weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    undivided = amount - sum(shares.values())
    for index in by_remainder[:undivided]:
        name, _ = weights[index]
        shares[name] += 1
    return {name: Rupiah(share) for name, share in shares.items()}
