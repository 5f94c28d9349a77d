"""Routes of attendance: plan and cancel sessions, mark, correct and list records."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.roster_bodies import RosterReportBody
from services.training.attendance import usecases
from services.training.attendance.rules import (
    Attendance,
    AttendanceMark,
    AttendanceReason,
    MarkState,
)
from services.training.roster_reports.api import body_of_report
from services.training.sessions.api import Cancellation, NewSession, SessionBody
from services.training.transaction import Run

router = APIRouter(tags=["Sesi dan presensi"])


class MarkBody(BaseModel):
    """The mark of a participant; minutes only for ATTENDED_PART, a note for OTHER."""

    model_config = dependencies.STRICT
    reason: AttendanceReason
    minutes: Annotated[int, Field(ge=0, le=720, strict=True)] = 0
    note: Annotated[str, Field(max_length=500)] = ""

    def to_mark(self, client_id: str = "") -> AttendanceMark:
        """Return the mark that this body describes."""
        return AttendanceMark(
            reason=self.reason, minutes=self.minutes, note=self.note, client_id=client_id
        )


class EnrolmentMark(MarkBody):
    """The mark of one enrolment; `client_id` is the number that an offline device gave it."""

    enrolment_id: Annotated[str, Field(min_length=1, max_length=64)]
    client_id: Annotated[str, Field(max_length=64)] = ""


class Marks(BaseModel):
    """The marks of a session, from paper or a device; repeated marks change nothing."""

    model_config = dependencies.STRICT
    marks: Annotated[list[EnrolmentMark], Field(min_length=1, max_length=500)]


class ChangeBody(BaseModel):
    """One entry of a record's history."""

    was: str
    now: str
    minutes: int
    by: str
    at: datetime
    why: str


class AttendanceBody(BaseModel):
    """One participant in one session."""

    attendance_id: str
    version: int
    enrolment_id: str
    session_id: str
    participant_ref: str
    held_on: date
    state: MarkState
    reason: str | None
    minutes: int
    history: list[ChangeBody]

    @classmethod
    def of(cls, record: Attendance) -> AttendanceBody:
        """Return the body of a record."""
        return cls(
            attendance_id=record.id,
            version=record.version,
            enrolment_id=record.enrolment_id,
            session_id=record.session_id,
            participant_ref=record.participant_ref,
            held_on=record.held_on,
            state=record.state,
            reason=record.reason or None,
            minutes=record.minutes,
            history=[
                ChangeBody(
                    was=change.was,
                    now=change.now,
                    minutes=change.minutes,
                    by=change.by,
                    at=change.at,
                    why=change.why,
                )
                for change in record.history
            ],
        )


@router.post("/v1/classes/{class_id}/sessions", status_code=201, summary="Jadwalkan sesi kelas")
async def plan_session(
    class_id: str, body: NewSession, run: Run, response: Response
) -> SessionBody:
    """Plan a session; everybody enrolled is expected."""
    command = partial(usecases.plan_session, class_id, body.held_on, body.starts_at, body.minutes)
    session = await run(command)
    dependencies.set_etag(response, session)
    return SessionBody.of(session)


@router.post("/v1/sessions/{session_id}/cancellation", summary="Batalkan sesi")
async def cancel_session(
    session_id: str,
    body: Cancellation,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> SessionBody:
    """Cancel a session for good; it then counts for nobody."""
    session = await run(partial(usecases.cancel_session, session_id, body.reason, version))
    dependencies.set_etag(response, session)
    return SessionBody.of(session)


@router.post("/v1/sessions/{session_id}/attendance", summary="Catat presensi satu sesi")
async def mark_session(
    session_id: str, body: Marks, run: Run, response: Response
) -> RosterReportBody:
    """Mark attendance, which also marks the session as held; the report has a line for each.

    The first mark of a participant is kept; a different one opens a task.
    """
    marks = [(mark.enrolment_id, mark.to_mark(mark.client_id)) for mark in body.marks]
    report = await run(partial(usecases.mark_session, session_id, marks))
    dependencies.set_etag(response, report)
    return body_of_report(report)


@router.get("/v1/sessions/{session_id}/attendance", summary="Presensi satu sesi")
async def list_records(
    session_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[AttendanceBody]:
    """List the records of a session."""
    page = await run(partial(usecases.list_records, session_id, cursor, limit))
    items = [AttendanceBody.of(record) for record in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.patch("/v1/attendance/{attendance_id}", summary="Perbaiki presensi")
async def remark(
    attendance_id: str,
    body: MarkBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> AttendanceBody:
    """Correct a mark within the facility's window; every change stays in the history."""
    record = await run(partial(usecases.correct_mark, attendance_id, body.to_mark(), version))
    dependencies.set_etag(response, record)
    return AttendanceBody.of(record)
