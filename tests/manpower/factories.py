"""Builders of invented people, offices and work, and of request bodies.

A test names only the values that matter to it.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from services.manpower.agencies.local_days import end_of_day
from services.manpower.agencies.rules import Agency, AgencyKind, Status, name_key
from services.manpower.applications.rules import Application, ApplicationState
from services.manpower.candidates.custody import Custody, Stay
from services.manpower.candidates.rules import Candidate
from services.manpower.candidates.skills import SourceOrder
from services.manpower.consents.rules import CONSENT_TEXTS, Consent
from services.manpower.vacancies.rules import (
    Requirements,
    Vacancy,
    VacancySource,
    VacancyState,
    WageBand,
)
from services.manpower.visibility.rules import Column, ConsentShare, Purpose, Visibility

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
FACILITY = "LP-TJP"
BELITUNG = "19.02"
BELITUNG_TIMUR = "19.06"

PLACEMENT_BODY: dict[str, Any] = {
    "kind": "employee",
    "started_on": "2027-01-04",
    "wage_band": {"from_idr": 3_500_000, "to_idr": 4_000_000},
    "permit_number": "izin-contoh-9",
}
"""A placement by an application, which the test adds; the permit allows work before release."""


def agency(**changed: object) -> Agency:
    values: dict[str, object] = {
        "id": "dinas-belitung",
        "owner": FACILITY,
        "kind": AgencyKind.DINAS_TK,
        "name": "Dinas Contoh Belitung",
        "regency_codes": frozenset({BELITUNG}),
        "purpose": "penempatan kerja",
        "legal_basis": "surat contoh 1",
        "status": Status.ACTIVE,
        "registered_by": "user-1",
    } | changed
    values.setdefault("name_key", name_key(str(values["name"])))
    return Agency(**values)  # pyright: ignore[reportArgumentType]  # a builder's values are untyped


def employer(**changed: object) -> Agency:
    values: dict[str, object] = {
        "id": "usaha-contoh",
        "kind": AgencyKind.EMPLOYER_PARTNER,
        "name": "Usaha Contoh",
        "nib": "0000000000001",
    }
    return agency(**(values | changed))


def source_order(minutes: int = 0, sequence: int = 1) -> SourceOrder:
    return SourceOrder(at=NOW + timedelta(minutes=minutes), sequence=sequence)


def stay(custody: Custody = Custody.INSIDE, effective_on: date = date(2025, 1, 10)) -> Stay:
    return Stay(
        custody=custody,
        kind="new" if custody is Custody.INSIDE else "free",
        effective_on=effective_on,
        told=source_order(-60),
    )


def share(**changed: object) -> ConsentShare:
    values: dict[str, object] = {
        "consent_id": "consent-1",
        "recipient": "dinas-belitung",
        "purpose": Purpose.DINAS_REGISTRATION,
        "fields": frozenset({Column.NAME, Column.SKILLS}),
        "given_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=30),
    } | changed
    # A builder's values are untyped.
    return ConsentShare(**values)  # pyright: ignore[reportArgumentType]


def employer_share(**changed: object) -> ConsentShare:
    values: dict[str, object] = {
        "consent_id": "consent-2",
        "recipient": "usaha-contoh",
        "purpose": Purpose.EMPLOYER_SHARE,
    }
    return share(**(values | changed))


def visibility(
    *shares: ConsentShare, facility_id: str = FACILITY, regency_code: str = BELITUNG
) -> Visibility:
    return Visibility(facility_id=facility_id, regency_code=regency_code, shares=shares)


def candidate(**changed: object) -> Candidate:
    values: dict[str, object] = {
        "id": "person-1",
        "version": 1,
        "stay": stay(),
        "visibility": visibility(),
    } | changed
    # A builder's values are untyped.
    return Candidate(**values)  # pyright: ignore[reportArgumentType]


def text_hash(purpose: Purpose) -> str:
    """Return the hash of the newest text of this purpose."""
    texts = [text for text in CONSENT_TEXTS if text.purpose is purpose]
    return max(texts, key=lambda text: text.version).sha256


def consent(**changed: object) -> Consent:
    values: dict[str, object] = {
        "id": "consent-1",
        "candidate_id": "person-1",
        "facility_id": FACILITY,
        "purpose": Purpose.DINAS_REGISTRATION,
        "recipient": "dinas-belitung",
        "fields": frozenset({Column.NAME, Column.SKILLS}),
        "text_version_hash": text_hash(Purpose.DINAS_REGISTRATION),
        "given_at": NOW,
        "witness_ref": "user-7",
        "expires_at": NOW + timedelta(days=365),
        "recorded_by": "user-8",
    } | changed
    # A builder's values are untyped.
    return Consent(**values)  # pyright: ignore[reportArgumentType]


def vacancy(**changed: object) -> Vacancy:
    values: dict[str, object] = {
        "id": "vacancy-1",
        "version": 1,
        "owner": FACILITY,
        "employer_id": "usaha-contoh",
        "position": "Penjahit",
        "regency_code": BELITUNG,
        "valid_until": date(2026, 12, 31),
        "start_month": "2027-01",
        "wage_band": WageBand(from_idr=3_500_000, to_idr=4_000_000),
        "requirements": Requirements(units=frozenset({"C.14JHT01.001.1"})),
        "source": VacancySource.DINAS,
        "state": VacancyState.OPEN,
    } | changed
    last_day = cast("date", values["valid_until"])
    values.setdefault("closes_at", end_of_day(last_day, str(values["regency_code"])))
    # A builder's values are untyped.
    return Vacancy(**values)  # pyright: ignore[reportArgumentType]


def application(**changed: object) -> Application:
    values: dict[str, object] = {
        "id": "application-1",
        "version": 1,
        "candidate_id": "person-1",
        "vacancy_id": "vacancy-1",
        "employer_id": "usaha-contoh",
        "visibility": visibility(employer_share()),
        "consent_id": "consent-2",
        "state": ApplicationState.ACCEPTED,
    } | changed
    # A builder's values are untyped.
    return Application(**values)  # pyright: ignore[reportArgumentType]
