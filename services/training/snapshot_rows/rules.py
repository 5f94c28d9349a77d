"""Rules of listed rows: their errors, and what a row changes of a person and the identity.

Not here: reading a row from cells (row_reader), finding the person, storing the change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from chassis.ids import named_id
from services.training.identities import rules as identities
from services.training.identities.rules import EncryptedNik, Identity, IdentityFacts
from services.training.mappings.rules import FileMapping
from services.training.participants.custody import apply_row
from services.training.participants.rules import (
    DETAIL_FIELDS,
    CustodyFacts,
    Doubt,
    Movement,
    Participant,
    RowOutcome,
    SnapshotContext,
)

MAX_RAW_LENGTH = 60
_NUMBER = re.compile(r"[0-9]{5}")
_IDENTITY_FIELDS = ("register_no", "birth_date", "sex")


class RowErrorEffect(StrEnum):
    """What an error costs: the whole row, the field, or nothing (a warning)."""

    ROW = "row"
    FIELD = "field"
    WARNING = "warning"


class RowReason(StrEnum):
    """Why a cell or a row was not accepted as it is."""

    REQUIRED_EMPTY = "REQUIRED_EMPTY"
    FORMULA_CELL = "FORMULA_CELL"
    DATE_INVALID = "DATE_INVALID"
    VALUE_UNMAPPED = "VALUE_UNMAPPED"
    REFERENCE_ZEROS_DIFFER = "REFERENCE_ZEROS_DIFFER"
    ROW_SHAPE = "ROW_SHAPE"
    FIELD_EMPTIED = "FIELD_EMPTIED"
    MERGE_TARGET_UNKNOWN = "MERGE_TARGET_UNKNOWN"
    ROW_FAILED = "ROW_FAILED"
    NIK_NUMBER_CELL = "NIK_NUMBER_CELL"
    NIK_LENGTH = "NIK_LENGTH"
    NIK_DAY = "NIK_DAY"
    NIK_MONTH = "NIK_MONTH"
    NIK_SERIAL = "NIK_SERIAL"
    NIK_BIRTH_DATE_DIFFERS = "NIK_BIRTH_DATE_DIFFERS"
    NIK_SEX_DIFFERS = "NIK_SEX_DIFFERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """One error in one row.

    `raw` is set only where an officer needs it to correct the mapping or the list; it is stored
    among the raw cells. `known_ref` is the reference of the known person whom a wrong one means.
    """

    sheet: str
    row: int
    column: str
    field: str
    reason: RowReason
    effect: RowErrorEffect
    raw: str = ""
    known_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """A row error of one snapshot; its ids sort by sheet and row."""

    id: str
    version: int = 0
    snapshot_id: str
    facility_id: str
    error: RowError


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """What a snapshot says of one person.

    Nothing of a `stopped` row may be applied. `lost` are the fields whose cell was not accepted.
    `planned_kind` is the kind of a release after the list's day. `written_ref` is the reference as
    written where `source_ref` is the known one that differs from it by leading zeros.
    """

    sheet: str
    number: int
    source_ref: str
    stopped: bool = False
    lost: frozenset[str] = frozenset()
    name: str = ""
    register_no: str = ""
    nik: str = ""
    nik_given: bool = False
    birth_date: date | None = None
    sex: str = ""
    legal_status: str = ""
    admission_date: date | None = None
    expected_release: date | None = None
    two_thirds_date: date | None = None
    block: str = ""
    education: str = ""
    risk: str = ""
    absence: str = ""
    release: str = ""
    release_date: date | None = None
    planned_kind: str = ""
    written_ref: str = ""
    merged_into: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A person and the identity after a row, with the movements, doubts and errors of the row."""

    participant: Participant
    identity: Identity
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    errors: tuple[RowError, ...] = ()
    planned_release_on: date | None = None


def raw_without_numbers(text: str) -> str:
    """Return what a report shows of a cell: nothing if it may hold a NIK or another number.

    In a file with shifted columns any cell can hold one.
    """
    return "" if _NUMBER.search(text) else text[:MAX_RAW_LENGTH]


def build_reported_error(snapshot_id: str, facility_id: str, error: RowError) -> ReportedError:
    """Return an error of a snapshot without its raw cell; the same error has the same id."""
    return ReportedError(
        id=f"{snapshot_id}/{error.sheet}/{error.row:06d}/{error.field}/{error.reason}",
        snapshot_id=snapshot_id,
        facility_id=facility_id,
        error=replace(error, raw=""),
    )


def identify_matter(row: ListedRow, error: RowError, facility_id: str) -> str:
    """Return the text of the matter of an error that stopped the row: person, field, raw cell."""
    person = row.source_ref or named_id(facility_id, row.name, row.register_no)
    return f"{person}/{error.field}/{error.raw}"


def compute_change(
    row: ListedRow,
    person: Participant | None,
    identity: Identity | None,
    nik: EncryptedNik | None,
    new_ref: str,
    at: SnapshotContext,
    mapping: FileMapping,
) -> RowChange:
    """Return the change of a person (None = not known yet) by a row that is not stopped.

    `nik` is the row's NIK if it differs from the stored one. `new_ref` is the reference for a
    person who is not known yet.
    """
    facts = _identity_facts(row)
    known = identity
    if known is None:
        known = identities.create_identity(
            person.id if person else new_ref, at.facility_id, facts, nik
        )
    updated, changed_fields = identities.update_identity(known, facts, nik)
    outcome = apply_row(person, new_ref, row.source_ref, custody_facts(row), changed_fields, at)
    after = known
    if identity is None or outcome.is_accepted:
        after = replace(updated, facility_id=outcome.after.facility_id)
    return RowChange(
        participant=outcome.after,
        identity=after,
        movements=outcome.movements,
        doubts=outcome.doubts,
        errors=_warn_of_emptied_fields(row, person, identity, outcome, mapping),
        planned_release_on=outcome.planned_release_on,
    )


def custody_facts(row: ListedRow) -> CustodyFacts:
    """Return what the row says about custody."""
    if row.admission_date is None:
        message = "a row without an admission date is stopped and changes nothing"
        raise ValueError(message)
    return CustodyFacts(
        admission_date=row.admission_date,
        legal_status=row.legal_status,
        expected_release=row.expected_release,
        two_thirds_date=row.two_thirds_date,
        block=row.block,
        education=row.education,
        risk=row.risk,
        absence=row.absence,
        release=row.release,
        release_date=row.release_date,
    )


def _identity_facts(row: ListedRow) -> IdentityFacts:
    return IdentityFacts(
        name=row.name,
        register_no=row.register_no,
        birth_date=row.birth_date,
        sex=row.sex,
        nik_given=row.nik_given,
    )


def _warn_of_emptied_fields(
    row: ListedRow,
    person: Participant | None,
    identity: Identity | None,
    outcome: RowOutcome,
    mapping: FileMapping,
) -> tuple[RowError, ...]:
    """Return a warning for each known field that the row leaves empty; its value is kept.

    Only for somebody in custody whose row was accepted.
    """
    if person is None or identity is None or person.open_stay is None or not outcome.is_accepted:
        return ()
    stored = {name: getattr(person, name) for name in DETAIL_FIELDS}
    stored |= {name: getattr(identity, name) for name in _IDENTITY_FIELDS}
    emptied = [
        name
        for name, value in stored.items()
        if value and not getattr(row, name) and name not in row.lost
    ]
    if identity.nik is not None and not row.nik_given:
        emptied.append("nik")
    return tuple(
        RowError(
            sheet=row.sheet,
            row=row.number,
            column=mapping.columns[name],
            field=name,
            reason=RowReason.FIELD_EMPTIED,
            effect=RowErrorEffect.WARNING,
        )
        for name in emptied
        if name in mapping.columns
    )
