"""Rules of users: people and systems of an issuer, without names. Not here: grants."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import named_id, new_id
from gateway.access.identity import BUILTIN_ISSUER, HOLDER_ISSUER


class UserUnknown(NotFound):
    """No such user."""

    title = "Pengguna tidak ditemukan"


class UserElsewhere(Conflict):
    """One of our own logins or systems, of another place."""

    title = "Pengguna sudah terdaftar di tempat lain"
    field = "home"


class IssuerOurs(Refused):
    """Own people and systems are registered with their account, client or card, not by name."""

    title = "Penerbit ini milik Bina sendiri; bukalah akun atau daftarkan sistemnya"
    field = "issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, called `external` by their issuer.

    Services and audit rows see our own id. `home` is the facility whose administrator looks after
    them, "" without one. A user of another issuer may serve several places: each has its own grants
    for them and disables them for itself (`disabled_in`), also the one that named them first.
    """

    id: str
    version: int = 0
    issuer: str
    external: str
    home: str | tuple[str, ...] = ""
    disabled_at: datetime | None = None
    disabled_in: dict[str, datetime] = field(default_factory=dict[str, datetime])

    @property
    def homes(self) -> tuple[str, ...]:
        """Return all places that look after them, the first one first."""
        return (self.home,) if isinstance(self.home, str) else self.home


def derive_user_id(issuer: str, external: str) -> str:
    """Return the id of a user.

    For users of another issuer it is always the same, so that it reveals no earlier registration.
    """
    return new_id() if issuer == BUILTIN_ISSUER else named_id("user", issuer, external)


def check_issuer(issuer: str) -> None:
    """Refuse our own issuer. Raises IssuerOurs."""
    if issuer in {BUILTIN_ISSUER, HOLDER_ISSUER}:
        raise IssuerOurs


def add_home(user: User, home: str) -> User:
    """Return the user, looked after by this place as well.

    Raises UserElsewhere for one of our own, who has one place.
    """
    if home in user.homes:
        return user
    if user.issuer == BUILTIN_ISSUER:
        raise UserElsewhere
    before = {} if user.disabled_at is None else dict.fromkeys(user.homes, user.disabled_at)
    return replace(
        user, home=(*user.homes, home), disabled_at=None, disabled_in=user.disabled_in | before
    )


def restrict_view(user: User, administered_homes: Collection[str]) -> User:
    """Return the user as the administrators of these places see them.

    Nothing of other places is shown.
    """
    homes = tuple(home for home in user.homes if home in administered_homes)
    moments = [user.disabled_in.get(home) for home in homes]
    disabled = (
        max((moment for moment in moments if moment is not None), default=None)
        if None not in moments
        else None
    )
    return replace(
        user,
        home=homes[0] if len(homes) == 1 else homes,
        disabled_at=user.disabled_at or disabled,
        disabled_in={},
    )


def disable(user: User, administered_homes: Collection[str], now: datetime) -> User:
    """Disable the user for these of their places; a repeat changes nothing."""
    if user.disabled_at is not None:
        return user
    if set(user.homes) <= set(administered_homes):
        return replace(user, disabled_at=now)
    return replace(
        user,
        disabled_in={home: now for home in user.homes if home in administered_homes}
        | user.disabled_in,
    )


def enable(user: User, administered_homes: Collection[str]) -> User:
    """Enable the user for these of their places, under the grants then in force."""
    still = (
        user.disabled_in
        if user.disabled_at is None
        else dict.fromkeys(user.homes, user.disabled_at)
    )
    return replace(
        user,
        disabled_at=None,
        disabled_in={
            home: moment for home, moment in still.items() if home not in administered_homes
        },
    )
