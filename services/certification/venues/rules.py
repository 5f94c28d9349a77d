"""What is allowed: places of assessment (TUK) and their verification before use (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.certification.reasons import Reason


class VenueUnknown(NotFound):
    title = "TUK tidak ditemukan"


class VerificationPeriodInvalid(Refused):
    title = "Masa verifikasi TUK tidak benar"
    field = "valid_until"


class VenueKind(StrEnum):
    """TUK tempat kerja, sewaktu, mandiri."""

    WORKPLACE = "workplace"
    OCCASIONAL = "occasional"
    STANDING = "standing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The venue was found fit for these schemes from the first to the last day."""

    valid_from: date
    valid_until: date
    scheme_refs: frozenset[str]
    verified_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A place of assessment. It is never named on a certificate."""

    id: str
    version: int = 0
    lsp_id: str
    name: str
    kind: VenueKind
    places_per_day: int
    scheme_refs: frozenset[str]
    verifications: tuple[Verification, ...] = ()


def add_verification(venue: Venue, verification: Verification) -> Venue:
    """The venue with one more verification: of one day, except for a standing venue."""
    if verification.valid_until < verification.valid_from or (
        venue.kind is not VenueKind.STANDING and verification.valid_until != verification.valid_from
    ):
        raise VerificationPeriodInvalid(
            "TUK sewaktu dan TUK tempat kerja diverifikasi untuk setiap hari pemakaian."
        )
    return replace(venue, verifications=(*venue.verifications, verification))


def reasons_against_use(venue: Venue, scheme_ref: str, on: date) -> list[Reason]:
    """Why this venue may not be used for the scheme on that day."""
    found: list[Reason] = []
    if scheme_ref not in venue.scheme_refs:
        found.append(Reason.VENUE_OUT_OF_SCOPE)
    if not any(
        known.valid_from <= on <= known.valid_until and scheme_ref in known.scheme_refs
        for known in venue.verifications
    ):
        found.append(Reason.VENUE_NOT_VERIFIED)
    return found
