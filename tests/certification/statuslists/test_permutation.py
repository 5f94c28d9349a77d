"""The permutation of slots: it looks random and never collides."""

from __future__ import annotations

import itertools

from hypothesis import given, settings, strategies

from services.certification.statuslists import bits, permutation


def test_slots_look_random_and_never_collide() -> None:
    key = bytes(range(32))
    slots = [permutation.permute(value, bits.ENTRIES, key) for value in range(4_000)]
    assert len(set(slots)) == len(slots)
    assert all(0 <= slot < bits.ENTRIES for slot in slots)
    ascents = sum(later > earlier for earlier, later in itertools.pairwise(slots))
    assert ascents in range(1_800, 2_200)
    with_other_key = [permutation.permute(value, bits.ENTRIES, bytes(32)) for value in range(10)]
    assert slots[:10] != with_other_key


@settings(deadline=None)
@given(size=strategies.integers(1, 300), key=strategies.binary(min_size=32, max_size=32))
def test_every_value_has_one_slot_at_any_size(size: int, key: bytes) -> None:
    assert {permutation.permute(value, size, key) for value in range(size)} == set(range(size))
