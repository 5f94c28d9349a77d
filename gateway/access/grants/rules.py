"""Rules of grants: who acts in which role, for which rows, when, and on whose behalf.

Not here: what a role may do (permissions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.caller import CLAIMS, EVERYTHING, Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from gateway.access.permissions import ROLE_PERMISSIONS, ROLES
from gateway.access.permissions.four_eyes import exclude_second_person

PARTNER_ROLES = frozenset({"dinas_placement", "dinas_training", "dinas_kukm", "employer"})
ROLES_BY_GRANTOR = {
    "manpower": PARTNER_ROLES | {"bapas", "kanwil"},
    "administrator": ROLES - PARTNER_ROLES - {"buyer", "holder"},
}
UNSCOPED_ROLES = frozenset(
    {"operator"}
)  # no claim narrows it: given only by who looks after every place
MAX_DELEGATION = timedelta(
    days=184
)  # an acting officer: three months, once more three (Surat Edaran Kepala BKN 1/SE/I/2021)
MAX_ASSIGNMENT = timedelta(days=366)


class GrantUnknown(NotFound):
    """No such grant."""

    title = "Penugasan tidak ditemukan"


class RoleNotGivable(Refused):
    """The grantor may not give this role."""

    title = "Peran ini tidak dapat diberikan di sini"
    field = "role"


class ClaimUnknown(Refused):
    """A claim by which no collection is filtered."""

    title = "Cakupan data tidak dikenal"
    field = "claims"


class ScopeTooWide(Refused):
    """More rows than the grantor sees."""

    title = "Cakupan data melebihi cakupan Anda sendiri"
    field = "claims"


class GrantToSelf(Refused):
    """Nobody grants to themselves, nor a deputy to the official they act for."""

    title = "Penugasan untuk diri sendiri diberikan oleh administrator lain"
    field = "user_id"


class PeriodEmpty(Refused):
    """It would end before it begins."""

    title = "Masa berlaku harus berakhir setelah dimulai"
    field = "valid_until"


class PeriodTooLong(Refused):
    """A delegation or an assignment is longer than allowed."""

    title = "Masa berlaku terlalu panjang untuk penugasan ini"
    field = "valid_until"


class LetterNeeded(Refused):
    """Acting officers, second persons and auditors need a letter, and auditors a scope."""

    title = "Nomor surat perintah atau surat tugas, dan cakupannya, wajib diisi"
    field = "letter"


class NothingToDelegate(Refused):
    """The official does not hold that role for those rows, or is the deputy."""

    title = "Pejabat yang digantikan tidak memegang peran dan cakupan itu"
    field = "on_behalf_of"


class ActUnknown(Refused):
    """An excluded permission that the role does not have."""

    title = "Tindakan yang dikecualikan bukan tindakan peran ini"
    field = "excluded"


class NotOfKanwil(Refused):
    """A second person comes from the Kanwil."""

    title = "Pemeriksa kedua harus pejabat Kanwil yang bertugas"
    field = "user_id"


class GrantDiffers(Conflict):
    """The reference belongs to the grant of another user."""

    title = "Nomor rujukan sudah dipakai untuk penugasan lain"


class GrantEnded(Conflict):
    """The grant has ended before."""

    title = "Penugasan sudah diakhiri"


class NoGrant(Forbidden):
    """The caller is known and has no grant in force."""

    title = "Belum ada tugas yang berlaku untuk Anda"


class GrantChoiceNeeded(Forbidden):
    """Several grants are in force.

    The header `acting-grant` names the one under which the caller acts.
    """

    title = "Pilih tugas yang sedang dijalankan"
    field = "acting-grant"


class GrantKind(StrEnum):
    """In what capacity somebody holds a role."""

    OWN = "own"
    PLH = "plh"  # pelaksana harian: the official is away
    PLT = "plt"  # pelaksana tugas: the office is vacant
    SECOND = (
        "second"  # a named officer of the Kanwil, where a prison has too few people for four eyes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantor:
    """Who grants.

    `name` for the record, the roles that they may give, and the rows that they see (None: all).
    """

    name: str
    on_behalf_of: str = ""
    roles: frozenset[str]
    claims: Mapping[str, frozenset[str]] | None = None


MANPOWER_GRANTOR = Grantor(name="manpower", roles=ROLES_BY_GRANTOR["manpower"])


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """The terms of a grant.

    `excluded` are permissions ("METHOD /template") that the role has and this holder has not.
    """

    role: str
    claims: Mapping[str, Sequence[str]]
    valid_from: datetime
    valid_until: datetime
    kind: GrantKind = GrantKind.OWN
    letter: str = ""
    on_behalf_of: str = ""
    excluded: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role and its row scopes for one user.

    In force from `valid_from` until before `valid_until`, unless ended.
    """

    id: str
    version: int = 0
    user_id: str
    home: str = ""
    role: str
    claims: dict[str, tuple[str, ...]]
    valid_from: datetime
    valid_until: datetime
    given_by: str
    ended_at: datetime | None = None
    kind: GrantKind = GrantKind.OWN
    letter: str = ""
    on_behalf_of: str = ""
    excluded: tuple[str, ...] = ()

    def is_in_force(self, now: datetime) -> bool:
        """Return whether it is in force at this moment."""
        return self.ended_at is None and self.valid_from <= now < self.valid_until

    @property
    def forbidden_permissions(self) -> frozenset[str]:
        """Return the permissions of the role that this holder does not have."""
        everything = frozenset[str]().union(
            *(
                ROLE_PERMISSIONS.for_role(self.role, service)
                for service in ROLE_PERMISSIONS.by_service
            )
        )
        return frozenset(self.excluded) | (
            exclude_second_person(everything) if self.kind is GrantKind.SECOND else frozenset[str]()
        )


def give(
    terms: GrantTerms,
    *,
    id: str,
    user_id: str,
    home: str,
    grantor: Grantor,
    held_grants: Sequence[Grant] = (),
    official_grants: Sequence[Grant] = (),
) -> Grant:
    """Return a grant on these terms.

    `held` are the receiver's own grants, `officials` those of the official on whose behalf they
    act.
    """
    if terms.role not in ROLES & grantor.roles:
        raise RoleNotGivable
    if Actor(grantor.name, grantor.on_behalf_of).conflicts_with(Actor(user_id)):
        raise GrantToSelf
    _check_scope(terms, grantor)
    if terms.valid_until <= terms.valid_from:
        raise PeriodEmpty
    _check_capacity(terms, user_id, held_grants, official_grants)
    return Grant(
        id=id,
        user_id=user_id,
        home=home,
        role=terms.role,
        claims=_sort_claims(terms.claims),
        valid_from=_truncate_to_milliseconds(terms.valid_from),
        valid_until=_truncate_to_milliseconds(terms.valid_until),
        given_by=grantor.name,
        kind=terms.kind,
        letter=terms.letter,
        on_behalf_of=terms.on_behalf_of
        or (f"office:{terms.role}" if terms.kind is GrantKind.PLT else ""),
        excluded=tuple(sorted(set(terms.excluded))),
    )


def reconcile(stored: Grant | None, requested: Grant) -> Grant | None:
    """Return what to store so that `wanted` holds under its reference; None if it does."""
    if stored is None:
        return requested
    if (stored.user_id, stored.given_by) != (requested.user_id, requested.given_by):
        raise GrantDiffers
    if stored.ended_at is not None:
        raise GrantEnded
    return None if replace(requested, version=stored.version) == stored else requested


def end(grant: Grant, *, now: datetime) -> Grant:
    """Return the grant, ended now."""
    if grant.ended_at is not None:
        raise GrantEnded
    return replace(grant, ended_at=now)


def choose_acting_grant(grants: Sequence[Grant], chosen: str, now: datetime) -> Grant:
    """Return the chosen grant, or the only one in force.

    Raises NoGrant, GrantChoiceNeeded.
    """
    in_force = [grant for grant in grants if grant.is_in_force(now)]
    if chosen:
        in_force = [grant for grant in in_force if grant.id == chosen]
    if not in_force:
        raise NoGrant
    if len(in_force) > 1:
        raise GrantChoiceNeeded(
            grants=[{"id": grant.id, "role": grant.role, "kind": grant.kind} for grant in in_force]
        )
    return in_force[0]


def limit_to_officials(
    grants: Sequence[Grant], officials: Mapping[str, Sequence[Grant]], now: datetime
) -> list[Grant]:
    """Return these grants as they hold now.

    A deputy has what the official has and leaves with them; a second person leaves with their place
    at the Kanwil.
    """
    found: list[Grant] = []
    for grant in grants:
        match grant.kind:
            case GrantKind.PLH:
                offices = _find_matching_offices(
                    officials.get(grant.on_behalf_of, ()), grant.role, grant.claims, now
                )
            case GrantKind.SECOND:
                offices = [one for one in grants if one.role == "kanwil" and one.is_in_force(now)]
            case _:
                offices = [grant]
        if offices:
            until = min(grant.valid_until, max(office.valid_until for office in offices))
            also = (
                frozenset[str].intersection(*(frozenset(office.excluded) for office in offices))
                if grant.kind is GrantKind.PLH
                else ()
            )
            found.append(
                replace(grant, valid_until=until, excluded=tuple(sorted({*grant.excluded, *also})))
            )
    return found


def covers_claims(
    held_claims: Mapping[str, Sequence[str] | frozenset[str]],
    wanted_claims: Mapping[str, Sequence[str]],
) -> bool:
    """Return whether the rows of `wanted` are among those of `held`.

    Claims that name no row are wider, not narrower, and never covered.
    """
    return all(
        EVERYTHING in held_claims.get(name, ()) or set(values) <= set(held_claims.get(name, ()))
        for name, values in wanted_claims.items()
    ) and set(held_claims) <= set(wanted_claims)


def _find_matching_offices(
    grants: Sequence[Grant], role: str, claims: Mapping[str, Sequence[str]], now: datetime
) -> list[Grant]:
    return [
        one
        for one in grants
        if one.role == role
        and one.kind is GrantKind.OWN
        and one.is_in_force(now)
        and covers_claims(one.claims, claims)
    ]


def _check_scope(terms: GrantTerms, grantor: Grantor) -> None:
    if set(terms.claims) - CLAIMS:
        raise ClaimUnknown
    if grantor.claims is not None and any(
        EVERYTHING not in grantor.claims.get(name, ())
        and set(values) - set(grantor.claims.get(name, ()))
        for name, values in terms.claims.items()
    ):
        raise ScopeTooWide


def _check_capacity(
    terms: GrantTerms, user_id: str, held_grants: Sequence[Grant], official_grants: Sequence[Grant]
) -> None:
    lasts = terms.valid_until - terms.valid_from
    if terms.kind is not GrantKind.OWN or terms.role == "auditor":
        if not terms.letter or not any(terms.claims.values()):
            raise LetterNeeded
        if lasts > (MAX_ASSIGNMENT if terms.kind is GrantKind.OWN else MAX_DELEGATION):
            raise PeriodTooLong
    if terms.kind is GrantKind.PLH:
        if (
            not _find_matching_offices(official_grants, terms.role, terms.claims, terms.valid_from)
            or terms.on_behalf_of == user_id
        ):
            raise NothingToDelegate
    elif terms.on_behalf_of:
        raise NothingToDelegate
    if terms.kind is GrantKind.SECOND and not any(
        one.role == "kanwil" and one.is_in_force(terms.valid_from) for one in held_grants
    ):
        raise NotOfKanwil
    if set(terms.excluded) - frozenset[str]().union(
        *(ROLE_PERMISSIONS.for_role(terms.role, service) for service in ROLE_PERMISSIONS.by_service)
    ):
        raise ActUnknown


def _truncate_to_milliseconds(moment: datetime) -> datetime:
    """Return the moment as it is stored, so that a repeat compares equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _sort_claims(claims: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(values))) for name, values in sorted(claims.items())}
