"""What is allowed: who acts in which role, for which rows, from when to when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.auth import CLAIMS
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from gateway.permissions import ROLES

GIVEN_BY = {"manpower": frozenset({"dinas_placement", "dinas_training", "dinas_kukm", "employer"})}


class GrantUnknown(NotFound):
    """No such grant."""

    title = "Penugasan tidak ditemukan"


class RoleNotGivable(Refused):
    """A role that is not the asking service's to give."""

    title = "Peran ini tidak dapat diberikan di sini"
    field = "role"


class ClaimUnknown(Refused):
    """A claim that no collection is filtered by."""

    title = "Cakupan data tidak dikenal"
    field = "claims"


class PeriodEmpty(Refused):
    """It would end before it begins."""

    title = "Masa berlaku harus berakhir setelah dimulai"
    field = "valid_until"


class GrantEnded(Conflict):
    """It was ended before."""

    title = "Penugasan sudah diakhiri"


class NoGrant(Forbidden):
    """The caller is who they say, and nothing was granted to them now."""

    title = "Belum ada tugas yang berlaku untuk Anda"


class GrantChoiceNeeded(Forbidden):
    """Several grants are in force; the header `acting-grant` says which one the caller acts under."""

    title = "Pilih tugas yang sedang dijalankan"
    field = "acting-grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role and its row scopes for one user; in force from `valid_from` until before `valid_until`, unless ended."""

    id: str
    version: int = 0
    user_id: str
    role: str
    claims: dict[str, tuple[str, ...]]
    valid_from: datetime
    valid_until: datetime
    given_by: str
    ended_at: datetime | None = None


def give(*, id: str, user_id: str, role: str, claims: Mapping[str, Sequence[str]], valid_from: datetime, valid_until: datetime, by: str) -> Grant:
    """A grant that the service `by` gives."""
    if role not in ROLES & GIVEN_BY.get(by, frozenset()):
        raise RoleNotGivable
    if set(claims) - CLAIMS:
        raise ClaimUnknown
    if valid_until <= valid_from:
        raise PeriodEmpty
    scopes = {name: tuple(sorted(set(values))) for name, values in sorted(claims.items())}
    return Grant(id=id, user_id=user_id, role=role, claims=scopes, valid_from=valid_from, valid_until=valid_until, given_by=by)


def end(grant: Grant, *, by: str, now: datetime) -> Grant:
    """The grant ended now by the service that gave it."""
    if grant.given_by != by:
        raise GrantUnknown
    if grant.ended_at is not None:
        raise GrantEnded
    return replace(grant, ended_at=now)


def acting(grants: Sequence[Grant], chosen: str, now: datetime) -> Grant:
    """The grant that the caller acts under: the chosen one, or the only one in force."""
    in_force = [grant for grant in grants if grant.ended_at is None and grant.valid_from <= now < grant.valid_until]
    if chosen:
        in_force = [grant for grant in in_force if grant.id == chosen]
    if not in_force:
        raise NoGrant
    if len(in_force) > 1:
        raise GrantChoiceNeeded(grants=[{"id": grant.id, "role": grant.role} for grant in in_force])
    return in_force[0]
