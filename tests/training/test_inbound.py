"""What handlers declare to read, so that a batch of events is prefetched at once."""

from __future__ import annotations

import pytest

from chassis.messaging.events import Inbound
from services.training import inbound
from services.training.timeline.store import Timeline
from tests.training.factories import envelope

TIMELINE_EVENTS = (
    *inbound.TRAINING_EVENTS,
    *inbound.CERTIFICATION_EVENTS,
    *inbound.MANPOWER_EVENTS,
    inbound.ParticipantMerged,
    inbound.ClassOpened,
    inbound.SessionHeld,
)


@pytest.mark.parametrize("event_class", TIMELINE_EVENTS, ids=lambda each: each.type)
def test_a_timeline_event_declares_that_it_reads_its_entry(event_class: type[Inbound]) -> None:
    event = event_class.model_construct().with_envelope(envelope(event_class.type, "key-1"))
    assert list(event.reads()) == [(Timeline, event.meta.id)]
