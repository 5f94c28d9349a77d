"""Integer rupiah and their exact division. Not here: accounts, policies, parties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NewType

from pydantic import Field

Rupiah = NewType("Rupiah", int)
"""Whole rupiah; there is no smaller unit and no fraction."""

Idr = Annotated[int, Field(strict=True, ge=0, le=999_999_999_999)]
"""Rupiah as a request may give them: a JSON integer, no text, no fraction."""

Bps = NewType("Bps", int)
"""Basis points: 1/10,000."""

WHOLE_BPS = Bps(10_000)


def total(amounts: Iterable[int]) -> Rupiah:
    """The sum of amounts."""
    return Rupiah(sum(amounts))


def allocate(amount: int, weights: Sequence[tuple[str, int]]) -> dict[str, Rupiah]:
    """Divide `amount` by integer weights with the largest remainder; ties go to the one named first. The shares sum to the amount, a zero weight gets nothing.

    ValueError when the amount or a weight is negative, all weights are zero, or a name stands twice.
    """
    whole = sum(weight for _, weight in weights)
    if amount < 0 or whole <= 0 or any(weight < 0 for _, weight in weights):
        message = "an amount >= 0 is divided by weights >= 0 whose sum is > 0"
        raise ValueError(message)
    shares = {name: amount * weight // whole for name, weight in weights}
    if len(shares) != len(weights):
        message = "a name stands twice among the weights"
        raise ValueError(message)
    left = amount - sum(shares.values())
    by_remainder = sorted(
        range(len(weights)), key=lambda index: (-(amount * weights[index][1] % whole), index)
    )
    for index in by_remainder[:left]:
        shares[weights[index][0]] += 1
    return {name: Rupiah(share) for name, share in shares.items()}
