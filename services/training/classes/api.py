"""Routes of classes: plan, change, open, start, resize, show and list.

Not here: closing and cancelling, which also end enrolments (enrolments).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.training.classes import rules, usecases
from services.training.classes.rules import ClassSeats, ClassState, TrainingClass
from services.training.transaction import Run

router = APIRouter(tags=["Kelas"])
Text = Annotated[str, Field(min_length=1, max_length=200)]
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Seats = Annotated[int, Field(ge=1, le=500, strict=True)]


class NewClass(BaseModel):
    """A class to plan; without an edition it is bound to the newest one."""

    model_config = dependencies.STRICT
    facility_id: Ref
    programme_id: Ref
    edition: Annotated[int, Field(ge=1, strict=True)] | None = None
    title: Text | None = None
    batch_no: Annotated[str, Field(min_length=1, max_length=40)]
    starts_on: Day
    ends_on: Day
    seats_total: Seats
    location: Annotated[str, Field(max_length=200)] = ""
    instructor_refs: Annotated[list[Ref], Field(max_length=20)] = []

    def to_class(self) -> TrainingClass:
        """Return the class that this body describes."""
        return TrainingClass(
            id=new_id(),
            facility_id=self.facility_id,
            programme_id=self.programme_id,
            edition=self.edition or 0,
            title=self.title or "",
            batch_no=self.batch_no,
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            location=self.location,
            instructor_refs=tuple(self.instructor_refs),
        )


class ClassChanges(BaseModel):
    """The fields that can be changed; a field left out keeps its value."""

    model_config = dependencies.STRICT
    title: Text | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    location: Annotated[str, Field(max_length=200)] | None = None
    instructor_refs: Annotated[tuple[Ref, ...], Field(max_length=20)] | None = None


class SeatsChanges(BaseModel):
    """Another number of seats."""

    model_config = dependencies.STRICT
    seats_total: Seats


class Cancellation(BaseModel):
    """Why the class is cancelled."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class Closing(BaseModel):
    """Why the class is closed before its end; the confirming instructor, where one is demanded."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(min_length=3, max_length=500)] | None = None
    instructor_ref: Annotated[str, Field(max_length=64)] = ""


class ClassBody(BaseModel):
    """One class of a programme in a facility."""

    class_id: str
    version: int
    facility_id: str
    programme_id: str
    edition: int
    title: str
    batch_no: str
    starts_on: date
    ends_on: date
    location: str
    instructor_refs: list[str]
    state: ClassState
    cancelled_because: str | None
    closed_because: str | None

    @classmethod
    def of(cls, training_class: TrainingClass) -> ClassBody:
        """Return the body of a class."""
        return cls(
            class_id=training_class.id,
            version=training_class.version,
            facility_id=training_class.facility_id,
            programme_id=training_class.programme_id,
            edition=training_class.edition,
            title=training_class.title,
            batch_no=training_class.batch_no,
            starts_on=training_class.starts_on,
            ends_on=training_class.ends_on,
            location=training_class.location,
            instructor_refs=list(training_class.instructor_refs),
            state=training_class.state,
            cancelled_because=training_class.cancelled_because or None,
            closed_because=training_class.closed_because or None,
        )


class SeatsBody(BaseModel):
    """The seats of a class, with a version of their own."""

    class_id: str
    version: int
    seats_total: int
    seats_taken: int

    @classmethod
    def of(cls, seats: ClassSeats) -> SeatsBody:
        """Return the body of the seats of a class."""
        return cls(
            class_id=seats.id,
            version=seats.version,
            seats_total=seats.total,
            seats_taken=seats.taken,
        )


class ClassWithSeats(ClassBody):
    """A class and its seats."""

    seats: SeatsBody

    @classmethod
    def of_class(cls, training_class: TrainingClass, seats: ClassSeats) -> ClassWithSeats:
        """Return the body of a class with its seats."""
        fields = ClassBody.of(training_class).model_dump()
        return cls(**fields, seats=SeatsBody.of(seats))


@router.post("/v1/classes", status_code=201, summary="Rencanakan kelas")
async def plan_class(body: NewClass, run: Run, response: Response) -> ClassBody:
    """Plan a class; it begins as a draft."""
    planned = await run(partial(usecases.plan_class, body.to_class(), body.seats_total))
    dependencies.set_etag(response, planned)
    return ClassBody.of(planned)


@router.get("/v1/classes", summary="Daftar kelas")
async def list_classes(
    run: Run,
    facility_id: str | None = None,
    state: ClassState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ClassWithSeats]:
    """List the classes in the caller's scope, the latest start first."""
    page, seats = await run(partial(usecases.list_classes, facility_id, state, cursor, limit))
    items = [
        ClassWithSeats.of_class(training_class, seats[training_class.id])
        for training_class in page.items
    ]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/classes/{class_id}", summary="Lihat kelas")
async def show_class(class_id: str, run: Run, response: Response) -> ClassWithSeats:
    """Show one class and its seats."""
    training_class, seats = await run(partial(usecases.read_class, class_id))
    dependencies.set_etag(response, training_class)
    return ClassWithSeats.of_class(training_class, seats)


@router.patch("/v1/classes/{class_id}", summary="Ubah kelas")
async def change_class(
    class_id: str,
    body: ClassChanges,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ClassBody:
    """Change single fields of a class; a field left out keeps its value."""
    changes = body.model_dump(exclude_none=True)
    changed = await run(partial(usecases.change_class, class_id, changes, version))
    dependencies.set_etag(response, changed)
    return ClassBody.of(changed)


@router.patch("/v1/classes/{class_id}/seats", summary="Ubah kuota kelas")
async def resize_class(
    class_id: str,
    body: SeatsChanges,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> SeatsBody:
    """Change the number of seats, never below those taken.

    `If-Match` is the version of the seats, not of the class.
    """
    command = partial(usecases.resize_class, class_id, body.seats_total, version)
    seats = await run(command, contended=[rules.seats_lock(class_id)])
    dependencies.set_etag(response, seats)
    return SeatsBody.of(seats)


@router.post("/v1/classes/{class_id}/opening", summary="Buka kelas bagi peserta")
async def open_class(
    class_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> ClassBody:
    """Open a class: participants can apply and be enrolled."""
    opened = await run(partial(usecases.open_class, class_id, version))
    dependencies.set_etag(response, opened)
    return ClassBody.of(opened)


@router.post("/v1/classes/{class_id}/start", summary="Mulai kelas")
async def start_class(
    class_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> ClassBody:
    """Start a class on its first day."""
    started = await run(partial(usecases.start_class, class_id, version))
    dependencies.set_etag(response, started)
    return ClassBody.of(started)
