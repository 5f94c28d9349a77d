"""Routes of places of assessment (TUK)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import RequiredIfMatch, set_etag
from chassis.ids import new_id
from chassis.moments import Day
from services.certification.transaction import Run
from services.certification.venues import usecases
from services.certification.venues.rules import Venue, VenueKind, Verification

router = APIRouter(tags=["TUK"])
Refs = Annotated[
    frozenset[Annotated[str, Field(min_length=1, max_length=60)]],
    Field(min_length=1, max_length=500),
]


class NewVenue(BaseModel):
    """A place of assessment.

    It is a workplace (tempat kerja), occasional (sewaktu) or standing (mandiri).
    """

    model_config = dependencies.STRICT
    lsp_id: str
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: VenueKind
    places_per_day: Annotated[int, Field(ge=1, le=500, description="Banyaknya asesi per hari")] = 20
    scheme_refs: Refs


class VerificationBody(BaseModel):
    """The days and schemes for which the venue is fit; one day unless it is a standing venue."""

    model_config = dependencies.STRICT
    valid_from: Day
    valid_until: Day
    scheme_refs: Refs

    @classmethod
    def of(cls, verification: Verification) -> VerificationBody:
        """Return the body of a verification."""
        return cls(
            valid_from=verification.valid_from,
            valid_until=verification.valid_until,
            scheme_refs=verification.scheme_refs,
        )


class VenueBody(BaseModel):
    """A place of assessment."""

    venue_id: str
    version: int
    lsp_id: str
    name: str
    kind: VenueKind
    places_per_day: int
    scheme_refs: list[str]
    verifications: list[VerificationBody]

    @classmethod
    def of(cls, venue: Venue) -> VenueBody:
        """Return the body of a venue."""
        return cls(
            venue_id=venue.id,
            version=venue.version,
            lsp_id=venue.lsp_id,
            name=venue.name,
            kind=venue.kind,
            places_per_day=venue.places_per_day,
            scheme_refs=sorted(venue.scheme_refs),
            verifications=[
                VerificationBody.of(verification) for verification in venue.verifications
            ],
        )


@router.post("/v1/venues", status_code=201, summary="Catat TUK")
async def record_venue(body: NewVenue, run: Run, response: Response) -> VenueBody:
    """Record a venue of one of the caller's LSPs."""
    venue = Venue(id=new_id(), **body.model_dump())
    recorded = await run(partial(usecases.record_venue, venue))
    set_etag(response, recorded)
    return VenueBody.of(recorded)


@router.get("/v1/venues", summary="Daftar TUK")
async def list_venues(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[VenueBody]:
    """List the caller's venues."""
    page = await run(partial(usecases.list_venues, cursor, limit))
    items = [VenueBody.of(venue) for venue in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/venues/{venue_id}", summary="Lihat TUK")
async def show_venue(venue_id: str, run: Run, response: Response) -> VenueBody:
    """Show one venue."""
    venue = await run(partial(usecases.view_venue, venue_id))
    set_etag(response, venue)
    return VenueBody.of(venue)


@router.post("/v1/venues/{venue_id}/verifications", status_code=201, summary="Verifikasi TUK")
async def verify_venue(
    venue_id: str, body: VerificationBody, version: RequiredIfMatch, run: Run, response: Response
) -> VenueBody:
    """Record that the caller found the venue fit."""
    command = partial(
        usecases.verify_venue,
        venue_id,
        body.valid_from,
        body.valid_until,
        body.scheme_refs,
        version,
    )
    venue = await run(command)
    set_etag(response, venue)
    return VenueBody.of(venue)
