"""Routes of facilities: open one, change its settings, show and list them."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.moments import Day
from services.training.facilities import usecases
from services.training.facilities.rules import Facility, FacilityKind, RosterMode, TransferPolicy
from services.training.transaction import Run

router = APIRouter(tags=["UPT"])
Regency = Annotated[
    str, Field(pattern=r"^\d{2}\.\d{2}$", description="Kode kabupaten/kota, mis. 19.02")
]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class FacilitySettings(BaseModel):
    """Settings that have a default; a setting left out keeps its value."""

    model_config = dependencies.STRICT
    labour_office_ids: frozenset[Name] | None = None
    live_from: Day | None = None
    mapping: Annotated[str, Field(max_length=64)] | None = None
    roster_mode: RosterMode | None = None
    transfer_policy: TransferPolicy | None = None
    edit_window_days: Annotated[int, Field(ge=0, le=60)] | None = None
    row_guard_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    head_approval_required: bool | None = None


class FacilityChanges(FacilitySettings):
    """The settings that can be changed; a setting left out keeps its value."""

    name: Name | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    regencies: Annotated[frozenset[Regency], Field(min_length=1)] | None = None


class NewFacility(FacilitySettings):
    """A facility to open.

    `mapping` is the name of its table in the mapping file; the default is its code.
    """

    facility_id: Annotated[str, Field(min_length=2, max_length=32)]
    name: Name
    kind: FacilityKind
    time_zone: Annotated[str, Field(max_length=64)]
    regencies: Annotated[frozenset[Regency], Field(min_length=1)]

    def to_facility(self) -> Facility:
        """Return the facility that this body describes."""
        given = self.model_dump(exclude_none=True, exclude={"facility_id"})
        fields: dict[str, Any] = {"mapping": self.facility_id} | given
        return Facility(id=self.facility_id, **fields)


class FacilityBody(BaseModel):
    """A facility of custody."""

    facility_id: str
    version: int
    name: str
    kind: FacilityKind
    time_zone: str
    regencies: list[str]
    labour_office_ids: list[str]
    live_from: date | None
    mapping: str
    roster_mode: RosterMode
    transfer_policy: TransferPolicy
    edit_window_days: int
    row_guard_percent: int
    head_approval_required: bool

    @classmethod
    def of(cls, facility: Facility) -> FacilityBody:
        """Return the body of a facility."""
        return cls(
            facility_id=facility.id,
            version=facility.version,
            name=facility.name,
            kind=facility.kind,
            time_zone=facility.time_zone,
            regencies=sorted(facility.regencies),
            labour_office_ids=sorted(facility.labour_office_ids),
            live_from=facility.live_from,
            mapping=facility.mapping,
            roster_mode=facility.roster_mode,
            transfer_policy=facility.transfer_policy,
            edit_window_days=facility.edit_window_days,
            row_guard_percent=facility.row_guard_percent,
            head_approval_required=facility.head_approval_required,
        )


@router.post("/v1/facilities", status_code=201, summary="Daftarkan UPT")
async def open_facility(body: NewFacility, run: Run, response: Response) -> FacilityBody:
    """Open a facility; snapshots are accepted before the day on which it goes live."""
    facility = await run(partial(usecases.open_facility, body.to_facility()))
    dependencies.set_etag(response, facility)
    return FacilityBody.of(facility)


@router.get("/v1/facilities", summary="Daftar UPT")
async def list_facilities(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[FacilityBody]:
    """List the facilities in the caller's scope, by code."""
    page = await run(partial(usecases.list_facilities, cursor, limit))
    items = [FacilityBody.of(facility) for facility in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/facilities/{facility_id}", summary="Lihat UPT")
async def show_facility(facility_id: str, run: Run, response: Response) -> FacilityBody:
    """Show one facility."""
    facility = await run(partial(usecases.read_facility, facility_id))
    dependencies.set_etag(response, facility)
    return FacilityBody.of(facility)


@router.patch("/v1/facilities/{facility_id}", summary="Ubah pengaturan UPT")
async def change_facility(
    facility_id: str,
    body: FacilityChanges,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> FacilityBody:
    """Change single settings; the others keep their value."""
    changes = body.model_dump(exclude_none=True)
    facility = await run(partial(usecases.change_facility, facility_id, changes, version))
    dependencies.set_etag(response, facility)
    return FacilityBody.of(facility)
