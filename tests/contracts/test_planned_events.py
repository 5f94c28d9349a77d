"""The planned events: a class that exists has the key and the fields of its row."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from ops.local.state_dir import ROOT
from tests.contracts.golden import published
from tests.contracts.test_events import FORBIDDEN

DOCUMENT = (ROOT / "docs" / "events-planned.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<type>[a-z-]+\.[a-z-]+\.v\d+)` \|(?P<cells>.+)\|$", re.MULTILINE)
FIELD = re.compile(r"`(?P<name>[a-z_]+)(?P<optional>\??): [^`]+`")
PUBLISHED = published()
EARLIER_ROW = "the same fields"


class PlannedEvent(NamedTuple):
    """A row: the key (empty for new fields of a type that exists) and the optional fields."""

    key: str
    fields: dict[str, bool]


def read_plan() -> dict[str, PlannedEvent]:
    """Return the rows of the document by type."""
    plan: dict[str, PlannedEvent] = {}
    before = PlannedEvent("", {})
    for row in ROW.finditer(DOCUMENT):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        key = cells[0].strip("`") if len(cells) == 3 else ""
        written = cells[1] if key else cells[0]
        fields = {found["name"]: bool(found["optional"]) for found in FIELD.finditer(written)}
        if written == EARLIER_ROW:
            fields = before.fields
        before = PlannedEvent(key, fields)
        plan[row["type"]] = before
    return plan


PLAN = read_plan()


def test_the_plan_names_every_type_with_a_key_and_fields() -> None:
    assert len(PLAN) > 30
    for type_name, planned in PLAN.items():
        assert planned.fields, type_name
        assert not planned.key or planned.key in planned.fields, type_name


@pytest.mark.parametrize("type_name", sorted(PLAN))
def test_no_planned_field_holds_personal_data(type_name: str) -> None:
    assert PLAN[type_name].fields.keys().isdisjoint(FORBIDDEN)


@pytest.mark.parametrize("type_name", sorted(PLAN.keys() & PUBLISHED.keys()))
def test_an_event_that_exists_has_the_planned_key_and_fields(type_name: str) -> None:
    planned = PLAN[type_name]
    event = PUBLISHED[type_name]
    existing = {name: not field.is_required() for name, field in event.model_fields.items()}
    if planned.key:
        assert event.key_field == planned.key
        assert existing == planned.fields
        return
    for name in planned.fields.keys() & existing.keys():
        assert existing[name], f"{name} was added to {type_name}, so old events lack it"
