"""The bits of a status list, as the standard encodes them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings, strategies

from services.certification.statuslists import bits


@pytest.mark.parametrize(
    ("raised", "least", "most"),
    [(0, 69, 69), (100, 300, 400), (1_000, 1_900, 2_200), (6_553, 7_700, 8_400)],
)
def test_an_encoded_list_is_as_short_as_the_standard_allows(
    raised: int, least: int, most: int
) -> None:
    indexes = random.Random(raised).sample(range(bits.ENTRIES), raised)  # noqa: S311 - test data
    text = bits.encode(indexes)
    assert text.startswith("u")
    assert "=" not in text
    assert least <= len(text) <= most


@settings(deadline=None)
@given(strategies.sets(strategies.integers(0, bits.ENTRIES - 1), max_size=20))
def test_exactly_the_raised_bits_are_read_back(raised: set[int]) -> None:
    data = bits.decode(bits.encode(raised))
    near = {index + step for index in raised for step in (-8, -1, 0, 1, 8)}
    inside = near & set(range(bits.ENTRIES))
    assert {index for index in inside if bits.is_raised(data, index)} == raised


def test_bit_0_is_the_highest_of_the_first_byte() -> None:
    assert bits.decode(bits.encode([0]))[0] == 0x80
    assert bits.decode(bits.encode([7, 8]))[:2] == b"\x01\x80"
