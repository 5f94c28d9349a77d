"""Rules of the feed: numbers in the order of versions, and what is kept."""

from datetime import timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.manpower.feed import rules
from services.manpower.feed.rules import (
    TOMBSTONES,
    ChangeType,
    FeedChange,
    FeedCursorTooOld,
    FeedEntry,
    FeedHead,
    FeedItem,
    Subject,
)
from tests.manpower import factories


def change(number: int, ref: str = "person-1", version: int = 1, skew: int = 0) -> FeedChange:
    return FeedChange(
        id=f"change-{number:03}",
        type=ChangeType.CANDIDATE_CHANGED,
        occurred_at=factories.NOW + timedelta(milliseconds=skew),
        subject=Subject.CANDIDATE,
        subject_ref=ref,
        subject_version=version,
        audiences=frozenset({"dinas-belitung/dinas_registration"}),
    )


@pytest.mark.scenario("MP-2/numbering")
@for_all(
    last=st.integers(0, 10_000),
    facts=st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-50, 50)), max_size=20),
)
def test_changes_get_the_next_numbers_in_the_order_of_their_versions(
    last: int, facts: list[tuple[str, int]]
) -> None:
    versions: dict[str, int] = {}
    changes: list[FeedChange] = []
    for number, (ref, skew) in enumerate(facts):
        versions[ref] = versions.get(ref, 0) + 1
        changes.append(change(number, ref, versions[ref], skew))
    head, entries = rules.number_changes(FeedHead(id="feed", last=last), changes)
    assert [entry.seq for entry in entries] == list(range(last + 1, last + 1 + len(changes)))
    assert sorted(entry.id for entry in entries) == sorted(waiting.id for waiting in changes)
    assert head.last == last + len(changes)
    for ref, count in versions.items():
        own = [entry.subject_version for entry in entries if entry.subject_ref == ref]
        assert own == list(range(1, count + 1))


def test_a_cursor_outside_the_kept_log_is_too_old() -> None:
    _, entries = rules.number_changes(FeedHead(id="feed"), [change(1), change(2, version=2)])
    head = rules.drop_entries(FeedHead(id="feed", last=5), entries)
    assert head.dropped == 2
    rules.require_retained(2, head)
    for lost in (1, 6):
        with pytest.raises(FeedCursorTooOld):
            rules.require_retained(lost, head)


def test_dropping_no_entry_keeps_the_head() -> None:
    assert rules.drop_entries(FeedHead(id="feed", last=5, dropped=3), []).dropped == 3


def test_a_subject_that_left_the_scope_is_shown_as_withdrawn() -> None:
    entry: FeedEntry = rules.number_changes(FeedHead(id="feed"), [change(1)])[1][0]
    assert FeedItem(entry, visible=True).type is ChangeType.CANDIDATE_CHANGED
    assert FeedItem(entry, visible=False).type is ChangeType.CANDIDATE_WITHDRAWN
    assert TOMBSTONES.keys() == set(Subject)
