"""What is allowed: who acts in which role, for which rows, from when to when, on whose behalf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.caller import CLAIMS, EVERYTHING, Hand
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from gateway.access.permissions import ROLES, RULES
from gateway.access.permissions.four_eyes import beyond_second

PARTNERS = frozenset({"dinas_placement", "dinas_training", "dinas_kukm", "employer"})
GIVEN_BY = {
    "manpower": PARTNERS | {"bapas", "kanwil"},
    "administrator": ROLES - PARTNERS - {"buyer", "holder"},
}
EVERYWHERE = frozenset(
    {"operator"}
)  # no claim narrows it: given only by who looks after every place
LONGEST_DELEGATION = timedelta(
    days=184
)  # an acting officer: three months, once more three (Surat Edaran Kepala BKN 1/SE/I/2021)
LONGEST_ASSIGNMENT = timedelta(days=366)


class GrantUnknown(NotFound):
    """No such grant."""

    title = "Penugasan tidak ditemukan"


class RoleNotGivable(Refused):
    """A role that is not the asking side's to give."""

    title = "Peran ini tidak dapat diberikan di sini"
    field = "role"


class ClaimUnknown(Refused):
    """A claim that no collection is filtered by."""

    title = "Cakupan data tidak dikenal"
    field = "claims"


class ScopeTooWide(Refused):
    """More rows than the giver may see."""

    title = "Cakupan data melebihi cakupan Anda sendiri"
    field = "claims"


class GrantToSelf(Refused):
    """Nobody gives anything to themselves, nor a deputy to the one they act for."""

    title = "Penugasan untuk diri sendiri diberikan oleh administrator lain"
    field = "user_id"


class PeriodEmpty(Refused):
    """It would end before it begins."""

    title = "Masa berlaku harus berakhir setelah dimulai"
    field = "valid_until"


class PeriodTooLong(Refused):
    """A delegation or an assignment lasts longer than it may."""

    title = "Masa berlaku terlalu panjang untuk penugasan ini"
    field = "valid_until"


class LetterNeeded(Refused):
    """An acting officer, a second person and an auditor act on a letter, and an auditor within a scope."""

    title = "Nomor surat perintah atau surat tugas, dan cakupannya, wajib diisi"
    field = "letter"


class NothingToDelegate(Refused):
    """The official does not hold that role for those rows, or is the deputy."""

    title = "Pejabat yang digantikan tidak memegang peran dan cakupan itu"
    field = "on_behalf_of"


class ActUnknown(Refused):
    """An excluded act that the role could not do anyway."""

    title = "Tindakan yang dikecualikan bukan tindakan peran ini"
    field = "excluded"


class NotOfKanwil(Refused):
    """A second person comes from the Kanwil."""

    title = "Pemeriksa kedua harus pejabat Kanwil yang bertugas"
    field = "user_id"


class GrantDiffers(Conflict):
    """The reference stands for the grant of another user."""

    title = "Nomor rujukan sudah dipakai untuk penugasan lain"


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


class Kind(StrEnum):
    """In what capacity somebody holds a role."""

    OWN = "own"
    PLH = "plh"  # pelaksana harian: the official is away
    PLT = "plt"  # pelaksana tugas: the office is vacant
    SECOND = (
        "second"  # a named officer of the Kanwil, where a prison has too few people for four eyes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """Who gives, and for whom: `name` for the record, the roles that are theirs to give, and the rows they see themselves (None: all)."""

    name: str
    on_behalf_of: str = ""
    roles: frozenset[str]
    claims: Mapping[str, frozenset[str]] | None = None


MANPOWER = Giver(name="manpower", roles=GIVEN_BY["manpower"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a grant says. `excluded` are permissions ("METHOD /template") that the role has and this holder has not."""

    role: str
    claims: Mapping[str, Sequence[str]]
    valid_from: datetime
    valid_until: datetime
    kind: Kind = Kind.OWN
    letter: str = ""
    on_behalf_of: str = ""
    excluded: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role and its row scopes for one user; in force from `valid_from` until before `valid_until`, unless ended."""

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
    kind: Kind = Kind.OWN
    letter: str = ""
    on_behalf_of: str = ""
    excluded: tuple[str, ...] = ()

    def in_force(self, now: datetime) -> bool:
        """Whether it holds at this moment."""
        return self.ended_at is None and self.valid_from <= now < self.valid_until

    @property
    def forbidden(self) -> frozenset[str]:
        """What of the role this holder may not do."""
        everything = frozenset[str]().union(
            *(RULES.of_role(self.role, service) for service in RULES.services)
        )
        return frozenset(self.excluded) | (
            beyond_second(everything) if self.kind is Kind.SECOND else frozenset[str]()
        )


def give(
    terms: Terms,
    *,
    id: str,
    user_id: str,
    home: str,
    by: Giver,
    held: Sequence[Grant] = (),
    officials: Sequence[Grant] = (),
) -> Grant:
    """A grant on these terms. `held` are the receiver's own grants, `officials` those of the official on whose behalf they will act."""
    if terms.role not in ROLES & by.roles:
        raise RoleNotGivable
    if Hand(by.name, by.on_behalf_of).is_one_with(Hand(user_id)):
        raise GrantToSelf
    _check_scope(terms, by)
    if terms.valid_until <= terms.valid_from:
        raise PeriodEmpty
    _check_capacity(terms, user_id, held, officials)
    return Grant(
        id=id,
        user_id=user_id,
        home=home,
        role=terms.role,
        claims=_sorted(terms.claims),
        valid_from=_to_the_millisecond(terms.valid_from),
        valid_until=_to_the_millisecond(terms.valid_until),
        given_by=by.name,
        kind=terms.kind,
        letter=terms.letter,
        on_behalf_of=terms.on_behalf_of
        or (f"office:{terms.role}" if terms.kind is Kind.PLT else ""),
        excluded=tuple(sorted(set(terms.excluded))),
    )


def put(known: Grant | None, wanted: Grant) -> Grant | None:
    """What is to be stored so that `wanted` holds under its reference; None when it does already."""
    if known is None:
        return wanted
    if (known.user_id, known.given_by) != (wanted.user_id, wanted.given_by):
        raise GrantDiffers
    if known.ended_at is not None:
        raise GrantEnded
    return None if replace(wanted, version=known.version) == known else wanted


def end(grant: Grant, *, now: datetime) -> Grant:
    """The grant ended now."""
    if grant.ended_at is not None:
        raise GrantEnded
    return replace(grant, ended_at=now)


def acting(grants: Sequence[Grant], chosen: str, now: datetime) -> Grant:
    """The grant that the caller acts under: the chosen one, or the only one in force."""
    in_force = [grant for grant in grants if grant.in_force(now)]
    if chosen:
        in_force = [grant for grant in in_force if grant.id == chosen]
    if not in_force:
        raise NoGrant
    if len(in_force) > 1:
        raise GrantChoiceNeeded(
            grants=[{"id": grant.id, "role": grant.role, "kind": grant.kind} for grant in in_force]
        )
    return in_force[0]


def lasting(
    grants: Sequence[Grant], officials: Mapping[str, Sequence[Grant]], now: datetime
) -> list[Grant]:
    """Those grants as they hold now: a deputy for the time of an absence has what their official has and leaves with them, a second leaves with their place at the Kanwil."""
    found: list[Grant] = []
    for grant in grants:
        match grant.kind:
            case Kind.PLH:
                offices = _offices(
                    officials.get(grant.on_behalf_of, ()), grant.role, grant.claims, now
                )
            case Kind.SECOND:
                offices = [one for one in grants if one.role == "kanwil" and one.in_force(now)]
            case _:
                offices = [grant]
        if offices:
            until = min(grant.valid_until, max(office.valid_until for office in offices))
            also = (
                frozenset[str].intersection(*(frozenset(office.excluded) for office in offices))
                if grant.kind is Kind.PLH
                else ()
            )
            found.append(
                replace(grant, valid_until=until, excluded=tuple(sorted({*grant.excluded, *also})))
            )
    return found


def covers(
    held: Mapping[str, Sequence[str] | frozenset[str]], wanted: Mapping[str, Sequence[str]]
) -> bool:
    """Whether the rows of `wanted` are among those of `held`; what names no row is not narrower but wider, and never covered."""
    return all(
        EVERYTHING in held.get(name, ()) or set(values) <= set(held.get(name, ()))
        for name, values in wanted.items()
    ) and set(held) <= set(wanted)


def _offices(
    grants: Sequence[Grant], role: str, claims: Mapping[str, Sequence[str]], now: datetime
) -> list[Grant]:
    return [
        one
        for one in grants
        if one.role == role
        and one.kind is Kind.OWN
        and one.in_force(now)
        and covers(one.claims, claims)
    ]


def _check_scope(terms: Terms, by: Giver) -> None:
    if set(terms.claims) - CLAIMS:
        raise ClaimUnknown
    if by.claims is not None and any(
        EVERYTHING not in by.claims.get(name, ()) and set(values) - set(by.claims.get(name, ()))
        for name, values in terms.claims.items()
    ):
        raise ScopeTooWide


def _check_capacity(
    terms: Terms, user_id: str, held: Sequence[Grant], officials: Sequence[Grant]
) -> None:
    lasts = terms.valid_until - terms.valid_from
    if terms.kind is not Kind.OWN or terms.role == "auditor":
        if not terms.letter or not any(terms.claims.values()):
            raise LetterNeeded
        if lasts > (LONGEST_ASSIGNMENT if terms.kind is Kind.OWN else LONGEST_DELEGATION):
            raise PeriodTooLong
    if terms.kind is Kind.PLH:
        if (
            not _offices(officials, terms.role, terms.claims, terms.valid_from)
            or terms.on_behalf_of == user_id
        ):
            raise NothingToDelegate
    elif terms.on_behalf_of:
        raise NothingToDelegate
    if terms.kind is Kind.SECOND and not any(
        one.role == "kanwil" and one.in_force(terms.valid_from) for one in held
    ):
        raise NotOfKanwil
    if set(terms.excluded) - frozenset[str]().union(
        *(RULES.of_role(terms.role, service) for service in RULES.services)
    ):
        raise ActUnknown


def _to_the_millisecond(moment: datetime) -> datetime:
    """As it is stored, so that what is told again is seen to be the same."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _sorted(claims: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(values))) for name, values in sorted(claims.items())}
