"""Changes of an event that need a new version, and one worked example.

The example is an event's v2, and a consumer that reads it and upcasts every archived v1.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from chassis.ids import utc_now
from chassis.messaging.events import Envelope, Event, Inbound, Reference
from chassis.messaging.kafka_ports import Record
from chassis.messaging.received_events import Inbox
from chassis.persistence.unit_of_work import Transaction
from ops.docs.event_catalog import ServiceEvents, find_unread
from ops.docs.schema_changes import explain_breaking_changes, find_breaking_changes
from tests.contracts.golden import GOLDEN, sample


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class NarrowMood(StrEnum):
    GOOD = "good"


NarrowMood.__name__ = NarrowMood.__qualname__ = "Mood"  # the same enumeration with one more member


class Unit(BaseModel):
    code: str
    title: str


class Place(BaseModel):
    room: str
    block: str = ""


class Strict(BaseModel):
    room: str
    block: str


class Wide(BaseModel):
    """The same fields under another name, and one more."""

    room: str
    block: str = "A"
    floor: int | None = None


class Tree(BaseModel):
    name: str
    below: list[Tree]


FIELDS: dict[str, Any] = {
    "ref": str,
    "hours": int,
    "remark": (str | None, None),
    "lang": (str, "id"),
    "kind": Literal["a", "b"],
    "mood": Mood,
    "units": list[Unit],
    "day": date,
    "pieces": Annotated[int, Field(ge=1)],
    "place": (Place | None, None),
    "shares": dict[str, int],
    "tree": Tree,
}


def schema(**changed: Any) -> dict[str, Any]:
    """Return the schema of an event with these fields; None omits a field."""
    fields: dict[str, Any] = {
        name: kind if isinstance(kind, tuple) else (kind, ...)
        for name, kind in (FIELDS | changed).items()
        if kind is not None
    }
    return create_model("Sample", __base__=Event, **fields).model_json_schema()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"hours": None}, "field hours was removed"),
        ({"hours": str}, "field hours changed from integer to string"),
        ({"hours": (int, 0)}, "field hours became optional"),
        ({"lang": str}, "field lang became required"),
        ({"remark": str}, "field remark changed from string or null to string"),
        ({"kind": Literal["a"]}, "field kind changed from a / b to a"),
        ({"kind": Literal["a", "b", "c"]}, "field kind changed from a / b to a / b / c"),
        ({"mood": NarrowMood}, "field mood changed from good / bad to good"),
        ({"units": list[str]}, "field units changed from list of Unit to list of string"),
        ({"units": list[create_model("Unit", code=(str, ...))]}, "field units.title was removed"),
        (
            {"units": list[create_model("Unit", code=(str, ...), title=(int, ...))]},
            "field units.title changed from string to integer",
        ),
        ({"new": str}, "field new is new and required"),
        ({"day": datetime}, "field day changed from date to date-time"),
        ({"pieces": Annotated[int, Field(ge=0)]}, "field pieces changed its minimum from 1 to 0"),
        ({"place": (Strict | None, None)}, "field place.block became required"),
        ({"place": (Place, ...)}, "field place changed from Place or null to Place"),
        ({"shares": dict[str, str]}, "field shares changed from integer by name to string by name"),
        (
            {"tree": create_model("Tree", name=(int, ...), below=(list["Tree"], ...))},
            "field tree.name changed from string to integer",
        ),
    ],
)
def test_a_breaking_change_is_refused_in_a_sentence_that_says_what_to_do(
    changed: dict[str, Any], problem: str
) -> None:
    report = explain_breaking_changes("training.course-completed.v1", schema(), schema(**changed))
    assert report.startswith(f"training.course-completed.v1: {problem}. ")
    assert "publish training.course-completed.v2 with an upcaster at each reader" in report


@pytest.mark.parametrize(
    "changed",
    [
        {"new": (str | None, None)},
        {"remark": (None | str, None)},
        {"lang": (str, "en")},
        {"kind": Literal["b", "a"]},
        {"place": (Wide | None, None)},
        {"units": list[create_model("OtherName", title=(str, ...), code=(str, ...))]},
    ],
)
def test_what_changes_nothing_for_a_reader_is_not_refused(changed: dict[str, Any]) -> None:
    assert (
        explain_breaking_changes("training.course-completed.v1", schema(), schema(**changed)) == ""
    )


def test_an_added_optional_field_and_a_better_description_break_nothing() -> None:
    assert (
        explain_breaking_changes(
            "training.course-completed.v1", schema(), schema(new=(str | None, None))
        )
        == ""
    )
    described = schema() | {"description": "Better words."}
    assert find_breaking_changes(schema(), described) == []


class CourseCompletedV2(Event, type="training.course-completed.v2", key="participant_ref"):
    """Like v1, with minutes instead of lesson hours, which are not always 45 minutes long."""

    participant_ref: Reference
    enrolment_id: str
    lesson_minutes: int
    attended_minutes: int


def in_minutes(v1: dict[str, Any]) -> dict[str, Any]:
    return v1 | {"lesson_minutes": v1["lesson_hours"] * 45}


class CourseHeard(
    Inbound,
    type="training.course-completed.v2",
    upcasts={"training.course-completed.v1": in_minutes},
):
    participant_ref: Reference
    lesson_minutes: int


async def on_course(event: CourseHeard, tx: Transaction) -> None:
    """Do nothing: the tests check only the event that this handler would receive."""


def heard(type_name: str, body: dict[str, Any]) -> tuple[CourseHeard | None, str]:
    """Receive a record of that type as the reader of v2.

    Returns the event for the handler, if any, and the reason why the record is parked, if any.
    """
    envelope = Envelope(
        id="e",
        type=type_name,
        source="bina/training",
        key=body["participant_ref"],
        time=utc_now(),
        sequence=1,
    )
    inbox: Inbox[Transaction] = Inbox("reader", {"training.events": {CourseHeard: on_course}})
    record = Record(
        "training.events",
        0,
        0,
        envelope.key.encode(),
        json.dumps(body).encode(),
        tuple(envelope.headers()),
        0,
    )
    arrival = inbox.receive(record)
    assert arrival.event is None or (
        isinstance(arrival.event, CourseHeard) and arrival.handler is on_course
    )
    return arrival.event, arrival.reason


class CourseGraded(Event, type="training.course-graded.v1", key="ref"):
    """An event that no service consumes."""

    ref: str


class AuditSealed(Event, type="training.audit-sealed.v1", key="ref"):
    """An event that only `audit verify` reads."""

    ref: str


def test_types_without_a_reader_or_without_a_publisher_are_named() -> None:
    training = ServiceEvents(
        service="training", published=(CourseCompletedV2, AuditSealed), consumed={}
    )
    reader = ServiceEvents(
        service="reader", published=(), consumed={"training.events": (CourseHeard,)}
    )
    assert (
        find_unread((training, reader)) == []
    )  # v1 is only upcast from the archive: nobody needs to publish it any more
    assert find_unread(
        (
            ServiceEvents(
                service="training", published=(CourseCompletedV2, CourseGraded), consumed={}
            ),
            reader,
        )
    ) == ["training.course-graded.v1"]
    elsewhere = ServiceEvents(
        service="reader", published=(), consumed={"certification.events": (CourseHeard,)}
    )
    assert find_unread((training, elsewhere)) == ["training.course-completed.v2"]
    assert find_unread((ServiceEvents(service="training", published=(), consumed={}), reader)) == [
        "training.course-completed.v2"
    ]


def test_a_reader_of_v2_takes_it_and_lifts_the_golden_v1() -> None:
    v1 = json.loads((GOLDEN / "training.course-completed.v1.json").read_text(encoding="utf-8"))
    assert find_breaking_changes(v1["schema"], CourseCompletedV2.model_json_schema()), (
        "without a breaking change there is no need of a v2"
    )
    old, none = heard("training.course-completed.v1", v1["sample"])
    assert (old and old.lesson_minutes, none) == (v1["sample"]["lesson_hours"] * 45, "")
    v2 = CourseCompletedV2.model_validate(
        sample(CourseCompletedV2.model_json_schema()) | {"lesson_minutes": 90}
    )
    new, none = heard(v2.type, v2.model_dump(mode="json"))
    assert (new and new.lesson_minutes, none) == (90, "")
    assert old
    assert old.participant_ref == v1["sample"]["participant_ref"]


def test_a_version_that_the_reader_does_not_know_yet_waits_for_it() -> None:
    assert heard("training.course-completed.v3", {"participant_ref": "p"}) == (
        None,
        "version not known here: training.course-completed.v3",
    )


def test_an_old_version_that_cannot_be_upcast_is_parked() -> None:
    assert heard("training.course-completed.v1", {"participant_ref": "p"}) == (None, "KeyError")
