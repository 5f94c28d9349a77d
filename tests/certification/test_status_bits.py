"""Status lists: the bits as the standard writes them, places that never collide, the tick."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies

from services.certification.statuslists import bits, permutation, rules


@pytest.mark.parametrize(
    ("raised", "least", "most"),
    [(0, 69, 69), (100, 300, 400), (1_000, 1_900, 2_200), (6_553, 7_700, 8_400)],
)
def test_an_encoded_list_is_as_short_as_the_standard_lets_it_be(
    raised: int, least: int, most: int
) -> None:
    text = bits.encode(random.Random(raised).sample(range(bits.ENTRIES), raised))  # noqa: S311 - test data
    assert text.startswith("u")
    assert "=" not in text
    assert least <= len(text) <= most


@settings(deadline=None)
@given(strategies.sets(strategies.integers(0, bits.ENTRIES - 1), max_size=20))
def test_exactly_the_raised_bits_are_read_back(raised: set[int]) -> None:
    data = bits.decode(bits.encode(raised))
    near = raised | {
        index + step
        for index in raised
        for step in (-1, 1, 8, -8)
        if 0 <= index + step < bits.ENTRIES
    }
    assert {index for index in near if bits.is_raised(data, index)} == raised


def test_bit_0_is_the_highest_of_the_first_byte() -> None:
    assert bits.decode(bits.encode([0]))[0] == 0x80
    assert bits.decode(bits.encode([7, 8]))[:2] == b"\x01\x80"


def test_places_look_random_and_never_collide() -> None:
    key = bytes(range(32))
    places = [permutation.permute(value, bits.ENTRIES, key) for value in range(4_000)]
    assert len(set(places)) == len(places)
    assert all(0 <= place < bits.ENTRIES for place in places)
    assert sum(later > earlier for earlier, later in itertools.pairwise(places)) in range(
        1_800, 2_200
    )
    assert places[:10] != [
        permutation.permute(value, bits.ENTRIES, bytes(32)) for value in range(10)
    ]


@settings(deadline=None)
@given(size=strategies.integers(1, 300), key=strategies.binary(min_size=32, max_size=32))
def test_every_value_has_one_place_whatever_the_size(size: int, key: bytes) -> None:
    assert {permutation.permute(value, size, key) for value in range(size)} == set(range(size))


def epoch(leased: int = 0) -> rules.Epoch:
    return rules.Epoch(
        id="e",
        lsp_id="l",
        number=1,
        revocation=rules.ListKey(list_id="r", sealed_key=""),
        suspension=rules.ListKey(list_id="s", sealed_key=""),
        leased=leased,
    )


def test_leases_follow_each_other_and_end_when_the_list_is_half_full() -> None:
    after, first = rules.lease(epoch(), 100)
    after, second = rules.lease(after, 30)
    assert (first, second, after.leased) == (range(100), range(100, 130), 130)
    assert rules.has_room(epoch(65_436), 100)
    assert not rules.has_room(epoch(65_437), 100)


def test_ticks_are_the_same_for_everybody_and_not_after_now() -> None:
    now = datetime(2026, 12, 1, 3, 4, 59, 999_000, tzinfo=UTC)
    assert rules.last_tick(now, timedelta(minutes=5)) == datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
    assert rules.last_tick(
        datetime(2026, 12, 1, 3, 5, tzinfo=UTC), timedelta(minutes=5)
    ) == datetime(2026, 12, 1, 3, 5, tzinfo=UTC)
