"""How classes are asked for."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.training.classes import usecases
from services.training.classes.rules import ClassSeats, ClassState, TrainingClass
from services.training.transaction import Run

router = APIRouter(tags=["Kelas"])
Text = Annotated[str, Field(min_length=1, max_length=200)]
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Seats = Annotated[int, Field(ge=1, le=500, strict=True)]


class NewClass(BaseModel):
    """A class to be planned; without an edition it is bound to the newest one."""

    model_config = dependencies.STRICT
    facility_id: Ref
    programme_id: Ref
    edition: Annotated[int, Field(ge=1, strict=True)] | None = None
    title: Text | None = None
    batch_no: Annotated[str, Field(min_length=1, max_length=40)]
    starts_on: date
    ends_on: date
    seats_total: Seats
    location: Annotated[str, Field(max_length=200)] = ""
    instructor_refs: Annotated[list[Ref], Field(max_length=20)] = []

    def to_class(self) -> TrainingClass:
        """The class this describes."""
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
    """What may be changed; what is left out stays."""

    model_config = dependencies.STRICT
    title: Text | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    location: Annotated[str, Field(max_length=200)] | None = None
    instructor_refs: Annotated[tuple[Ref, ...], Field(max_length=20)] | None = None


class Resize(BaseModel):
    """Another number of seats."""

    model_config = dependencies.STRICT
    seats_total: Seats


class Cancellation(BaseModel):
    """Why the class is given up."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class ClassBody(BaseModel):
    """One run of a programme in a facility."""

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

    @classmethod
    def of(cls, run: TrainingClass) -> ClassBody:
        """The body of a class."""
        return cls(
            class_id=run.id,
            version=run.version,
            facility_id=run.facility_id,
            programme_id=run.programme_id,
            edition=run.edition,
            title=run.title,
            batch_no=run.batch_no,
            starts_on=run.starts_on,
            ends_on=run.ends_on,
            location=run.location,
            instructor_refs=list(run.instructor_refs),
            state=run.state,
            cancelled_because=run.cancelled_because or None,
        )


class SeatsBody(BaseModel):
    """The seats of a class; their version is their own."""

    class_id: str
    version: int
    seats_total: int
    seats_taken: int

    @classmethod
    def of(cls, seats: ClassSeats) -> SeatsBody:
        """The body of a class's seats."""
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
    def of_class(cls, run: TrainingClass, seats: ClassSeats) -> ClassWithSeats:
        """The body of a class with its seats."""
        return cls(**ClassBody.of(run).model_dump(), seats=SeatsBody.of(seats))


@router.post("/v1/classes", status_code=201, summary="Rencanakan kelas")
async def plan_class(body: NewClass, run: Run, response: Response) -> ClassBody:
    """A class in draft."""
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
    """The caller's classes, the latest start first."""
    page, seats = await run(partial(usecases.classes, facility_id, state, cursor, limit))
    return paging.PageBody(
        items=[ClassWithSeats.of_class(item, seats[item.id]) for item in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/classes/{class_id}", summary="Lihat kelas")
async def show_class(class_id: str, run: Run, response: Response) -> ClassWithSeats:
    """One class and its seats."""
    found, seats = await run(partial(usecases.class_with_seats, class_id))
    dependencies.set_etag(response, found)
    return ClassWithSeats.of_class(found, seats)


@router.patch("/v1/classes/{class_id}", summary="Ubah kelas")
async def change_class(
    class_id: str,
    body: ClassChanges,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ClassBody:
    """What is left out stays."""
    changed = await run(
        partial(usecases.change_class, class_id, body.model_dump(exclude_none=True), version)
    )
    dependencies.set_etag(response, changed)
    return ClassBody.of(changed)


@router.patch("/v1/classes/{class_id}/seats", summary="Ubah kuota kelas")
async def resize_class(
    class_id: str, body: Resize, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> SeatsBody:
    """Never below the seats taken; `If-Match` names the version of the seats."""
    seats = await run(
        partial(usecases.resize_class, class_id, body.seats_total, version),
        contended=[f"class-seats/{class_id}"],
    )
    dependencies.set_etag(response, seats)
    return SeatsBody.of(seats)


@router.post("/v1/classes/{class_id}/opening", summary="Buka kelas bagi peserta")
async def open_class(
    class_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> ClassBody:
    """Participants may apply and be enrolled."""
    opened = await run(partial(usecases.open_class, class_id, version))
    dependencies.set_etag(response, opened)
    return ClassBody.of(opened)


@router.post("/v1/classes/{class_id}/start", summary="Mulai kelas")
async def start_class(
    class_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> ClassBody:
    """The first day has come."""
    started = await run(partial(usecases.start_class, class_id, version))
    dependencies.set_etag(response, started)
    return ClassBody.of(started)


@router.post("/v1/classes/{class_id}/closing", summary="Tutup kelas")
async def close_class(
    class_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> ClassBody:
    """Whoever has not completed it by now has not completed it."""
    closed = await run(
        partial(usecases.close_class, class_id, version), contended=[f"class-seats/{class_id}"]
    )
    dependencies.set_etag(response, closed)
    return ClassBody.of(closed)


@router.post("/v1/classes/{class_id}/cancellation", summary="Batalkan kelas")
async def cancel_class(
    class_id: str, body: Cancellation, version: dependencies.IfMatch, run: Run, response: Response
) -> ClassBody:
    """Its enrolments end and open applications are removed."""
    cancelled = await run(
        partial(usecases.cancel_class, class_id, body.reason, version),
        contended=[f"class-seats/{class_id}"],
    )
    dependencies.set_etag(response, cancelled)
    return ClassBody.of(cancelled)
