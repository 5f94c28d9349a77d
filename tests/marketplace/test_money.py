"""Division of rupiah: nothing is lost, the result is always the same."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.money import allocate

PRESETS = {
    "50/15/35": [("premi", 5000), ("pnbp", 1500), ("modal", 3500)],
    "35/50/15": [("premi", 3500), ("pnbp", 5000), ("modal", 1500)],
    "15/25/60": [("premi", 1500), ("pnbp", 2500), ("modal", 6000)],
    "30/70": [("premi", 3000), ("pnbp", 7000)],
    "100/0/0": [("premi", 10_000), ("pnbp", 0), ("modal", 0)],
    "0/100/0": [("premi", 0), ("pnbp", 10_000), ("modal", 0)],
}


@pytest.mark.parametrize(
    ("amount", "shares"),
    [
        (1, (1, 0, 0)),
        (3, (2, 0, 1)),
        (99, (49, 15, 35)),
        (24_145, (12_072, 3_622, 8_451)),
        (100_001, (50_001, 15_000, 35_000)),
        (1_270_000, (635_000, 190_500, 444_500)),
    ],
)
def test_the_published_examples_of_50_15_35_are_exact_to_the_rupiah(
    amount: int, shares: tuple[int, int, int]
) -> None:
    assert tuple(allocate(amount, PRESETS["50/15/35"]).values()) == shares


def test_work_units_divide_a_pool_and_zero_units_earn_nothing() -> None:
    assert allocate(50_001, [("a", 37), ("b", 41), ("c", 0), ("d", 22)]) == {
        "a": 18_500,
        "b": 20_501,
        "c": 0,
        "d": 11_000,
    }


def test_three_partial_refunds_by_what_remains_are_exact() -> None:
    left: dict[str, int] = dict(allocate(100_001, PRESETS["50/15/35"]))
    refunds: list[tuple[int, ...]] = []
    for amount in (33_333, 33_334, 33_334):
        refund = allocate(amount, list(left.items()))
        refunds.append(tuple(refund.values()))
        for party, refunded in refund.items():
            left[party] -= refunded
    assert refunds == [(16_667, 5_000, 11_666), (16_667, 5_000, 11_667), (16_667, 5_000, 11_667)]
    assert set(left.values()) == {0}


@pytest.mark.scenario("M10/shares")
@pytest.mark.scenario("INV-5")
@pytest.mark.parametrize("preset", PRESETS)
def test_shares_sum_to_the_base_within_one_rupiah_of_their_quota(preset: str) -> None:
    """For all amounts up to 100,000 rupiah."""
    weights = PRESETS[preset]
    for amount in range(1, 100_001):
        shares = allocate(amount, weights)
        assert sum(shares.values()) == amount
        for party, bps in weights:
            assert abs(shares[party] * 10_000 - amount * bps) < 10_000
            assert bps or not shares[party]


names = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12, unique=True)


@st.composite
def divisions(draw: st.DrawFn) -> tuple[int, list[tuple[str, int]]]:
    """Draw an amount, and weights that are not all zero."""
    people = draw(names)
    count = len(people)
    units = draw(st.lists(st.integers(0, 10_000), min_size=count, max_size=count).filter(any))
    return draw(st.integers(0, 10**12)), list(zip(people, units, strict=True))


@pytest.mark.scenario("M10/work-units")
@given(divisions())
def test_any_pool_divided_by_any_work_units_is_divided_whole(
    division: tuple[int, list[tuple[str, int]]],
) -> None:
    amount, weights = division
    shares = allocate(amount, weights)
    whole = sum(weight for _, weight in weights)
    assert sum(shares.values()) == amount
    assert min(shares.values()) >= 0
    for name, weight in weights:
        assert abs(shares[name] * whole - amount * weight) < whole
        assert weight or not shares[name]


def test_a_tie_goes_to_the_party_named_first() -> None:
    for order in itertools.permutations("abc"):
        assert allocate(1, [(name, 1) for name in order]) == {order[0]: 1, order[1]: 0, order[2]: 0}


@pytest.mark.parametrize("weights", [[], [("a", 0)], [("a", -1), ("b", 2)], [("a", 1), ("a", 1)]])
def test_invalid_weights_are_refused(weights: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(10, weights)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="amount"):
        allocate(-1, [("a", 1)])
