"""The bodies of tasks, of one shape in every service. Not here: routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from chassis.http.dependencies import STRICT
from chassis.http.paging import PageBody
from chassis.tasks import TaskCount, TaskKindRules, TaskState
from chassis.texts import Text

Code = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[a-z_]+$")]


class ResolutionForm(BaseModel):
    """The resolution as a code of the task's list, and the reason for it."""

    model_config = STRICT
    resolution: Code
    reason: Annotated[str, Field(max_length=500)] = ""


class ResolutionBody(BaseModel):
    """One way to resolve a task; `act` is the route that does what the code says, if any."""

    code: str
    title: str
    act: str | None


class ResolutionsBody(BaseModel):
    """The closed list of resolutions of a task."""

    items: list[ResolutionBody]

    @classmethod
    def of(cls, rules: TaskKindRules, texts: Mapping[str, Text]) -> ResolutionsBody:
        """Return the list of a kind."""
        return cls(
            items=[
                ResolutionBody(
                    code=one.code,
                    title=texts[f"resolutions.{one.code}"].localised,
                    act=one.act or None,
                )
                for one in rules.resolutions
            ]
        )


class TaskBody(BaseModel):
    """A matter that an officer must look at; `subject` is the record that it is about."""

    id: str
    version: int
    kind: str
    title: str
    facility_id: str
    participant_ref: str | None
    subject: str | None
    facts: dict[str, str]
    role: str
    opened_at: datetime
    due_on: date
    state: TaskState
    resolution: str | None
    reason: str
    resolved_by: str | None


class TaskPageBody(PageBody[TaskBody]):
    """One page of tasks, with how many there are in each state (10,000 is that many or more)."""

    counts: dict[TaskState, int]


class KindSummaryBody(BaseModel):
    """The unresolved tasks of one kind."""

    kind: str
    title: str
    role: str
    unresolved: int
    overdue: int


class TaskSummaryBody(BaseModel):
    """The unresolved tasks by kind; a kind without any is left out."""

    unresolved: int
    overdue: int
    kinds: list[KindSummaryBody]

    @classmethod
    def of(
        cls,
        counts: Sequence[TaskCount],
        kinds: Mapping[str, TaskKindRules],
        texts: Mapping[str, Text],
    ) -> TaskSummaryBody:
        """Return the summary of these counts."""
        items = [
            KindSummaryBody(
                kind=count.kind,
                title=texts[f"tasks.{count.kind}"].localised,
                role=kinds[count.kind].role,
                unresolved=count.unresolved,
                overdue=count.overdue,
            )
            for count in counts
        ]
        return cls(
            unresolved=sum(item.unresolved for item in items),
            overdue=sum(item.overdue for item in items),
            kinds=items,
        )
