"""What one listed row changes of one person, custody and identity together. Not here: finding the person or writing the change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.training.participants import identity as identities
from services.training.participants.identity import Identity, Number, Said
from services.training.participants.rules import DETAILS, Doubt, Facts, Movement, Participant, Sighting, sight
from services.training.snapshots.mapping import Mapping
from services.training.snapshots.rows import Effect, Listed, RowError, RowReason

_IDENTITY_TEXTS = ("register_no", "birth_date", "sex")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A person before and after a row; `before` is None for a person first seen."""

    participant: Participant
    identity: Identity
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    errors: tuple[RowError, ...] = ()
    planned: date | None = None


def difference(row: Listed, person: Participant | None, identity: Identity | None, number: Number | None, ref: str, at: Sighting, mapping: Mapping) -> Difference:
    """What the row changes. `number` is the row's NIK when it is not the stored one; `ref` names a person not known yet. The row must not be a stopped one."""
    if row.admission_date is None:
        message = "a stopped row changes nothing"
        raise ValueError(message)
    facts = Facts(
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
    said = Said(name=row.name, register_no=row.register_no, birth_date=row.birth_date, sex=row.sex, nik_given=row.nik_given)
    known = identity or identities.first_seen(person.id if person else ref, at.facility_id, said, number)
    told, changed = identities.take(known, said, number)
    outcome = sight(person, ref, row.source_ref, facts, changed, at)
    heard = identity is None or outcome.heard
    return Difference(
        participant=outcome.after,
        identity=replace(told, facility_id=outcome.after.facility_id) if heard else known,
        movements=outcome.movements,
        doubts=outcome.doubts,
        errors=_emptied(row, person, identity, mapping) if outcome.heard and person and person.open_stay and identity else (),
        planned=outcome.planned,
    )


def _emptied(row: Listed, person: Participant, identity: Identity, mapping: Mapping) -> tuple[RowError, ...]:
    """A warning for each field that was known and stands empty now; the stored value stays."""
    stored = {name: getattr(person, name) for name in DETAILS} | {name: getattr(identity, name) for name in _IDENTITY_TEXTS}
    emptied = [name for name, value in stored.items() if value and not getattr(row, name) and name not in row.lost]
    if identity.nik is not None and not row.nik_given:
        emptied.append("nik")
    return tuple(
        RowError(sheet=row.sheet, row=row.number, column=mapping.columns[name], field=name, reason=RowReason.FIELD_EMPTIED, effect=Effect.WARNING)
        for name in emptied
        if name in mapping.columns
    )
