"""Rules of merges alone: the survivor."""

from __future__ import annotations

from datetime import UTC, date, datetime

from services.training.merges import rules
from services.training.participants.custody import apply_row
from services.training.participants.rules import CustodyFacts, Participant, SnapshotContext


def snapshot(facility_id: str, day: int, hour: int) -> SnapshotContext:
    return SnapshotContext(
        snapshot_id=f"{facility_id}{day}{hour}",
        facility_id=facility_id,
        as_of=datetime(2026, 11, day, hour, tzinfo=UTC),
        taken_on=date(2026, 11, day),
    )


def admitted(ref: str, admission_date: date) -> Participant:
    facts = CustodyFacts(admission_date=admission_date)
    return apply_row(None, ref, f"source-{ref}", facts, (), snapshot("A", 16, 7)).after


def test_the_survivor_of_an_automatic_merge_is_independent_of_order() -> None:
    older = admitted("p", date(2026, 1, 5))
    younger = admitted("q", date(2026, 11, 17))
    assert (
        rules.choose_survivor(older, younger)
        == rules.choose_survivor(younger, older)
        == (younger, older)
    )
