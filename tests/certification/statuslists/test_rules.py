"""Rules of status lists: leases of slots, and ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.certification.statuslists import rules


def epoch(leased: int = 0) -> rules.Epoch:
    return rules.Epoch(
        id="e",
        lsp_id="l",
        number=1,
        revocation=rules.ListKey(list_id="r", sealed_key=""),
        suspension=rules.ListKey(list_id="s", sealed_key=""),
        leased=leased,
    )


def test_leases_follow_each_other_until_the_list_is_half_full() -> None:
    after, first = rules.lease(epoch(), 100)
    after, second = rules.lease(after, 30)
    assert (first, second, after.leased) == (range(100), range(100, 130), 130)
    assert rules.has_room(epoch(65_436), 100)
    assert not rules.has_room(epoch(65_437), 100)


def test_ticks_are_shared_by_all_issuers_and_not_after_now() -> None:
    every = timedelta(minutes=5)
    first_tick = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
    second_tick = datetime(2026, 12, 1, 3, 5, tzinfo=UTC)
    just_before = second_tick - timedelta(milliseconds=1)
    assert rules.last_tick(just_before, every) == first_tick
    assert rules.last_tick(second_tick, every) == second_tick
