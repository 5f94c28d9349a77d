"""The store of attendance records."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.attendance.rules import Attendance, AttendanceUnknown, MarkState


class Attendances(Store[Attendance]):
    kind = Attendance
    collection = "attendance"
    person = "participant_ref"
    unknown = AttendanceUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("session_id"), Index("enrolment_id", "starts_at"), Index("participant_ref"))

    async def list_by_enrolment(self, enrolment_id: str) -> list[Attendance]:
        """Return an enrolment's records in order. Unscoped: they follow the enrolment."""
        return await self.find(
            {"enrolment_id": enrolment_id}, sort=[("starts_at", 1)], scoped=False
        )

    async def list_waiting_by_enrolment(self, enrolment_id: str, now: datetime) -> list[Attendance]:
        """Return unmarked records of sessions not begun. Unscoped: they follow the enrolment."""
        return await self.find(
            {
                "enrolment_id": enrolment_id,
                "state": MarkState.WAITING.value,
                "starts_at": {"$gt": now},
            },
            scoped=False,
        )

    async def list_waiting_by_session(self, session_id: str) -> list[Attendance]:
        """Return the unmarked records of a session. Unscoped: they follow the session."""
        return await self.find(
            {"session_id": session_id, "state": MarkState.WAITING.value}, scoped=False
        )

    async def list_page(self, session_id: str, cursor: str | None, limit: int) -> Page[Attendance]:
        """Return a page of the records of a session."""
        return await self.page({"session_id": session_id}, cursor=cursor, limit=limit)
