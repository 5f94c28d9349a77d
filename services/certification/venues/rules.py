"""Rules of places of assessment (TUK) and their verification (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.certification.reasons import Reason
from services.certification.settings import TEXTS


class VenueUnknown(NotFound):
    title = TEXTS["errors.venue_unknown"]


class VerificationPeriodInvalid(Refused):
    title = TEXTS["errors.verification_period_invalid"]
    field = "valid_until"


class VenueKind(StrEnum):
    """Workplace (TUK tempat kerja), occasional (sewaktu) or standing (mandiri)."""

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

    def covers(self, scheme_ref: str, on: date) -> bool:
        """Return whether it covers this scheme on that day."""
        return self.valid_from <= on <= self.valid_until and scheme_ref in self.scheme_refs


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A place of assessment. No certificate ever names it."""

    id: str
    version: int = 0
    lsp_id: str
    name: str
    kind: VenueKind
    places_per_day: int
    scheme_refs: frozenset[str]
    verifications: tuple[Verification, ...] = ()


def add_verification(venue: Venue, verification: Verification) -> Venue:
    """Add a verification. Raises VerificationPeriodInvalid.

    It covers one day, except for a standing venue.
    """
    is_reversed = verification.valid_until < verification.valid_from
    is_one_day = verification.valid_until == verification.valid_from
    if is_reversed or (venue.kind is not VenueKind.STANDING and not is_one_day):
        raise VerificationPeriodInvalid(TEXTS["details.venue_one_day"])
    return replace(venue, verifications=(*venue.verifications, verification))


def reasons_against_use(venue: Venue, scheme_ref: str, on: date) -> list[Reason]:
    """Return why the venue may not be used for the scheme on that day; empty means allowed."""
    reasons: list[Reason] = []
    if scheme_ref not in venue.scheme_refs:
        reasons.append(Reason.VENUE_OUT_OF_SCOPE)
    if not any(verification.covers(scheme_ref, on) for verification in venue.verifications):
        reasons.append(Reason.VENUE_NOT_VERIFIED)
    return reasons
