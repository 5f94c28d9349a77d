"""Routes of participants and movements. Not here: names and numbers (identities)."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

from fastapi import APIRouter, Response
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.training.participants import usecases
from services.training.participants.rules import CustodyState, Movement, MovementKind, Participant
from services.training.transaction import Run

router = APIRouter(tags=["Warga binaan"])


class StayBody(BaseModel):
    """One period in one facility, and the moment of the snapshot that opened or ended it."""

    no: int
    facility_id: str
    since: date
    until: date | None
    as_of: datetime
    ended_by: str


class ParticipantBody(BaseModel):
    """A person in custody by reference, and where the snapshots place the person."""

    participant_ref: str
    version: int
    source_ref: str
    facility_id: str
    state: CustodyState
    as_of: datetime | None
    stays: list[StayBody]
    absence: str
    missing_snapshots: int
    release_kind: str
    merged_into: str | None
    legal_status: str
    admission_date: date | None
    expected_release: date | None
    two_thirds_date: date | None
    block: str
    education: str
    risk: str

    @classmethod
    def of(cls, person: Participant) -> ParticipantBody:
        """Return the body of a participant."""
        last = person.last_stay
        return cls(
            participant_ref=person.id,
            version=person.version,
            source_ref=person.source_ref,
            facility_id=person.facility_id,
            state=person.state,
            as_of=last.as_of if last else None,
            stays=[
                StayBody(
                    no=stay.no,
                    facility_id=stay.facility_id,
                    since=stay.since,
                    until=stay.until,
                    as_of=stay.as_of,
                    ended_by=stay.ended_by,
                )
                for stay in person.stays
            ],
            absence=person.absence,
            missing_snapshots=person.missing_snapshots,
            release_kind=person.release_kind,
            merged_into=person.merged_into or None,
            legal_status=person.legal_status,
            admission_date=person.admission_date,
            expected_release=person.expected_release,
            two_thirds_date=person.two_thirds_date,
            block=person.block,
            education=person.education,
            risk=person.risk,
        )


class MovementBody(BaseModel):
    """One change of a person's stay by a snapshot."""

    movement_id: str
    participant_ref: str
    source_ref: str
    kind: MovementKind
    facility_id: str
    from_facility_id: str | None
    code: str | None
    fields: list[str]
    readmission: bool
    effective_on: date
    as_of: datetime

    @classmethod
    def of(cls, movement: Movement, source_ref: str) -> MovementBody:
        """Return the body of a movement."""
        return cls(
            movement_id=movement.id,
            participant_ref=movement.participant_ref,
            source_ref=source_ref,
            kind=movement.kind,
            facility_id=movement.facility_id,
            from_facility_id=movement.from_facility_id or None,
            code=movement.code or None,
            fields=list(movement.fields),
            readmission=movement.readmission,
            effective_on=movement.effective_on,
            as_of=movement.as_of,
        )


@router.get("/v1/participants", summary="Daftar warga binaan")
async def list_participants(
    run: Run,
    facility_id: str | None = None,
    state: CustodyState | None = None,
    source_ref: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ParticipantBody]:
    """List the people in the caller's scope, by source reference."""
    query = partial(usecases.list_participants, facility_id, state, source_ref, cursor, limit)
    page = await run(query)
    items = [ParticipantBody.of(person) for person in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/participants/{participant_ref}", summary="Lihat warga binaan")
async def show_participant(participant_ref: str, run: Run, response: Response) -> ParticipantBody:
    """Show one person; a merged reference shows the survivor."""
    person = await run(partial(usecases.read_participant, participant_ref))
    dependencies.set_etag(response, person)
    return ParticipantBody.of(person)


@router.get(
    "/v1/snapshots/{snapshot_id}/movements", summary="Perpindahan yang dicatat dari satu berkas"
)
async def list_movements(
    snapshot_id: str,
    run: Run,
    kind: MovementKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[MovementBody]:
    """List the movements of a snapshot."""
    query = partial(usecases.list_movements, snapshot_id, kind, cursor, limit)
    page, source_refs = await run(query)
    items = [
        MovementBody.of(movement, source_refs[movement.participant_ref]) for movement in page.items
    ]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)
