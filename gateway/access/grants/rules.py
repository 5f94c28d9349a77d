"""Rules of grants: who acts in which role, for which rows, when, and on whose behalf.

Not here: what a role may do (permissions).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.caller import CLAIMS, EVERYTHING, Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from gateway.access.permissions import ROLE_PERMISSIONS, ROLES
from gateway.access.permissions.four_eyes import exclude_second_person
from gateway.access.users.rules import MANPOWER_HOME
from gateway.texts import TEXTS

PARTNER_ROLES = frozenset({"dinas_placement", "dinas_training", "dinas_kukm", "employer"})
# Only users that manpower registered (home "") hold these roles: nobody else sets their secrets.
OUTSIDE_ROLES = PARTNER_ROLES | {"bapas"}
ROLES_BY_GRANTOR = {
    "manpower": PARTNER_ROLES | {"bapas", "kanwil"},
    "administrator": ROLES - PARTNER_ROLES - {"buyer", "holder"},
}
# Only administrators of all places give these roles: no claim limits the rows of an operator, and
# the Kanwil supervises the prisons.
ROLES_FROM_ABOVE = frozenset({"operator", "kanwil"})
# An acting officer has three months, extended once by three (Surat Edaran Kepala BKN 1/SE/I/2021).
MAX_DELEGATION = timedelta(days=184)
MAX_ASSIGNMENT = timedelta(days=366)


class GrantUnknown(NotFound):
    """No such grant."""

    title = TEXTS["errors.grant_unknown"]


class RoleNotGivable(Refused):
    """The grantor may not give this role."""

    title = TEXTS["errors.role_not_givable"]
    field = "role"


class ClaimUnknown(Refused):
    """No such claim."""

    title = TEXTS["errors.claim_unknown"]
    field = "claims"


class ScopeTooWide(Refused):
    """The grant covers more rows than the grantor sees."""

    title = TEXTS["errors.scope_too_wide"]
    field = "claims"


class GrantToSelf(Refused):
    """The receiver is the grantor, or the official on whose behalf the grantor acts."""

    title = TEXTS["errors.grant_to_self"]
    field = "user_id"


class PeriodEmpty(Refused):
    """The grant would not end after its beginning."""

    title = TEXTS["errors.period_empty"]
    field = "valid_until"


class PeriodTooLong(Refused):
    """A delegation is longer than MAX_DELEGATION, or an auditor's grant than MAX_ASSIGNMENT."""

    title = TEXTS["errors.period_too_long"]
    field = "valid_until"


class LetterNeeded(Refused):
    """Deputies, acting officers, second persons and auditors need a letter and a scope."""

    title = TEXTS["errors.letter_needed"]
    field = "letter"


class NothingToDelegate(Refused):
    """The official does not hold that role and scope, is the deputy, or the kind is not PLH."""

    title = TEXTS["errors.nothing_to_delegate"]
    field = "on_behalf_of"


class ActUnknown(Refused):
    """The role does not have a permission that the grant excludes."""

    title = TEXTS["errors.act_unknown"]
    field = "excluded"


class UserOfPrison(Refused):
    """An outside role needs a user of manpower; this one belongs to prisons only."""

    title = TEXTS["errors.user_of_prison"]
    field = "user_id"


class NotOfKanwil(Refused):
    """A second person needs a grant of the Kanwil in force that was given from above."""

    title = TEXTS["errors.not_of_kanwil"]
    field = "user_id"


class GrantDiffers(Conflict):
    """The reference belongs to the grant of another user."""

    title = TEXTS["errors.grant_differs"]


class GrantEnded(Conflict):
    """The grant was ended before."""

    title = TEXTS["errors.grant_ended"]


class NoGrant(Forbidden):
    """The caller has no grant in force, or not the chosen one, or is disabled or unknown."""

    title = TEXTS["errors.no_grant"]


class GrantChoiceNeeded(Forbidden):
    """Several grants are in force; the header `acting-grant` must name one of them."""

    title = TEXTS["errors.grant_choice_needed"]
    field = "acting-grant"


class GrantKind(StrEnum):
    """The capacity in which a user holds a role."""

    OWN = "own"
    PLH = "plh"  # pelaksana harian: deputy while the official is absent
    PLT = "plt"  # pelaksana tugas: acting officer while the office is vacant
    # A named officer of the Kanwil, where a prison has too few people for four eyes.
    SECOND = "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantor:
    """Who gives a grant.

    `name` is stored with the grant. `roles` are the roles that they may give, `claims` the rows
    that they see (None: all). `is_above` marks manpower and administrators of all places.
    """

    name: str
    on_behalf_of: str = ""
    roles: frozenset[str]
    claims: Mapping[str, frozenset[str]] | None = None
    is_above: bool = False


MANPOWER_GRANTOR = Grantor(name="manpower", roles=ROLES_BY_GRANTOR["manpower"], is_above=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """The terms of a grant.

    `excluded` are permissions of the role ("METHOD /template") that this holder does not get.
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

    In force from `valid_from` until before `valid_until`, unless ended. `from_above` says that
    manpower or an administrator of all places gave it.
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
    from_above: bool = False
    ended_at: datetime | None = None
    kind: GrantKind = GrantKind.OWN
    letter: str = ""
    on_behalf_of: str = ""
    excluded: tuple[str, ...] = ()

    def is_in_force(self, now: datetime) -> bool:
        """Return whether the grant is in force at this moment."""
        return self.ended_at is None and self.valid_from <= now < self.valid_until

    def makes_second_person(self, now: datetime) -> bool:
        """Return whether it makes its holder an officer of the Kanwil now, appointed from above."""
        return self.role == "kanwil" and self.from_above and self.is_in_force(now)

    @property
    def forbidden_permissions(self) -> frozenset[str]:
        """Return the permissions of the role that this holder does not have."""
        forbidden = frozenset(self.excluded)
        if self.kind is GrantKind.SECOND:
            forbidden |= exclude_second_person(ROLE_PERMISSIONS.at_all_services(self.role))
        return forbidden


def give(
    terms: GrantTerms,
    *,
    id: str,
    user_id: str,
    homes: Collection[str],
    home: str,
    grantor: Grantor,
    held_grants: Sequence[Grant] = (),
    official_grants: Sequence[Grant] = (),
) -> Grant:
    """Return a grant on these terms.

    `homes` are all homes of the receiver, `home` the one whose administrators manage the grant.
    `held_grants` are the receiver's grants, `official_grants` those of the official on whose behalf
    the receiver acts. Raises a Refused of this module.
    """
    if terms.role not in ROLES & grantor.roles:
        raise RoleNotGivable
    if Actor(grantor.name, grantor.on_behalf_of).conflicts_with(Actor(user_id)):
        raise GrantToSelf
    if terms.role in OUTSIDE_ROLES and MANPOWER_HOME not in homes:
        raise UserOfPrison
    _check_scope(terms, grantor)
    if terms.valid_until <= terms.valid_from:
        raise PeriodEmpty
    _check_letter_and_period(terms)
    _check_capacity(terms, user_id, held_grants, official_grants)
    vacant_office = f"office:{terms.role}" if terms.kind is GrantKind.PLT else ""
    return Grant(
        id=id,
        user_id=user_id,
        home=home,
        role=terms.role,
        claims=_sort_claims(terms.claims),
        valid_from=_truncate_to_milliseconds(terms.valid_from),
        valid_until=_truncate_to_milliseconds(terms.valid_until),
        given_by=grantor.name,
        from_above=grantor.is_above,
        kind=terms.kind,
        letter=terms.letter,
        on_behalf_of=terms.on_behalf_of or vacant_office,
        excluded=tuple(sorted(set(terms.excluded))),
    )


def reconcile(stored: Grant | None, requested: Grant) -> Grant | None:
    """Return the grant to store so that `requested` is in force; None if nothing changes.

    Raises GrantDiffers, GrantEnded.
    """
    if stored is None:
        return requested
    if (stored.user_id, stored.given_by) != (requested.user_id, requested.given_by):
        raise GrantDiffers
    if stored.ended_at is not None:
        raise GrantEnded
    is_unchanged = replace(requested, version=stored.version) == stored
    return None if is_unchanged else requested


def end(grant: Grant, *, now: datetime) -> Grant:
    """Return the grant, ended now."""
    if grant.ended_at is not None:
        raise GrantEnded
    return replace(grant, ended_at=now)


def covers_claims(
    held_claims: Mapping[str, Sequence[str] | frozenset[str]],
    wanted_claims: Mapping[str, Sequence[str]],
) -> bool:
    """Return whether the rows of `wanted_claims` are among those of `held_claims`.

    Claims that leave out a held claim are wider, so they are not covered.
    """
    if not held_claims.keys() <= wanted_claims.keys():
        return False
    return all(
        _covers_values(held_claims.get(name, ()), values) for name, values in wanted_claims.items()
    )


def _covers_values(held: Iterable[str], wanted: Iterable[str]) -> bool:
    held_values = set(held)
    return EVERYTHING in held_values or set(wanted) <= held_values


def find_matching_offices(
    grants: Sequence[Grant], role: str, claims: Mapping[str, Sequence[str]], now: datetime
) -> list[Grant]:
    """Return the grants in force by which their holder has this office and these rows itself."""
    return [
        one
        for one in grants
        if one.role == role
        and one.kind is GrantKind.OWN
        and one.is_in_force(now)
        and covers_claims(one.claims, claims)
    ]


def _check_scope(terms: GrantTerms, grantor: Grantor) -> None:
    if not terms.claims.keys() <= CLAIMS:
        raise ClaimUnknown
    if grantor.claims is None:
        return
    for name, values in terms.claims.items():
        if not _covers_values(grantor.claims.get(name, ()), values):
            raise ScopeTooWide


def _check_letter_and_period(terms: GrantTerms) -> None:
    """Check what every grant needs except an own role; an auditor's own role needs it too."""
    is_own = terms.kind is GrantKind.OWN
    if is_own and terms.role != "auditor":
        return
    if not terms.letter or not any(terms.claims.values()):
        raise LetterNeeded
    max_period = MAX_ASSIGNMENT if is_own else MAX_DELEGATION
    if terms.valid_until - terms.valid_from > max_period:
        raise PeriodTooLong


def _check_capacity(
    terms: GrantTerms, user_id: str, held_grants: Sequence[Grant], official_grants: Sequence[Grant]
) -> None:
    if terms.kind is GrantKind.PLH:
        offices = find_matching_offices(official_grants, terms.role, terms.claims, terms.valid_from)
        if not offices or terms.on_behalf_of == user_id:
            raise NothingToDelegate
    elif terms.on_behalf_of:
        raise NothingToDelegate
    is_of_kanwil = any(one.makes_second_person(terms.valid_from) for one in held_grants)
    if terms.kind is GrantKind.SECOND and not is_of_kanwil:
        raise NotOfKanwil
    if not ROLE_PERMISSIONS.at_all_services(terms.role).issuperset(terms.excluded):
        raise ActUnknown


def _truncate_to_milliseconds(moment: datetime) -> datetime:
    """Return the moment as MongoDB stores it, so that a repeat compares equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _sort_claims(claims: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(values))) for name, values in sorted(claims.items())}
