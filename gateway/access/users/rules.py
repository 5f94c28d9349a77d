"""Rules of users: people and systems of an issuer, without names. Not here: grants."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import named_id, new_id
from gateway.access.identity import BUILTIN_ISSUER, HOLDER_ISSUER
from gateway.texts import TEXTS

# The home of users that manpower registers: offices and employers, never a prison.
MANPOWER_HOME = ""


class UserUnknown(NotFound):
    """No such user."""

    title = TEXTS["errors.user_unknown"]


class UserElsewhere(Conflict):
    """The login or system of the built-in issuer belongs to another place."""

    title = TEXTS["errors.user_elsewhere"]
    field = "home"


class IssuerOurs(Refused):
    """Users of our own issuers are registered by account, client or card, not as external."""

    title = TEXTS["errors.issuer_ours"]
    field = "issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; `external` is the issuer's name for them.

    Services and audit rows have only our own id. `home` is the facility whose administrators manage
    the user, "" if there is none. A user of another issuer may have several homes. Each of them
    gives its own grants and disables the user for itself (`disabled_in`); `disabled_at` is set when
    the user is disabled for all homes.
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
        """Return all homes in the order in which they registered the user."""
        return (self.home,) if isinstance(self.home, str) else self.home


def derive_user_id(issuer: str, external: str) -> str:
    """Return the id of a new user.

    For another issuer it is derived from the name, so that it reveals no earlier registration.
    """
    return new_id() if issuer == BUILTIN_ISSUER else named_id("user", issuer, external)


def check_issuer(issuer: str) -> None:
    """Refuse our own issuers. Raises IssuerOurs."""
    if issuer in {BUILTIN_ISSUER, HOLDER_ISSUER}:
        raise IssuerOurs


def add_home(user: User, home: str) -> User:
    """Return the user with this place as an additional home.

    Raises UserElsewhere for a user of the built-in issuer, who has one home.
    """
    if home in user.homes:
        return user
    if user.issuer == BUILTIN_ISSUER:
        raise UserElsewhere
    disabled_in = user.disabled_in
    if user.disabled_at is not None:
        disabled_in = disabled_in | dict.fromkeys(user.homes, user.disabled_at)
    return replace(user, home=(*user.homes, home), disabled_at=None, disabled_in=disabled_in)


def restrict_view(user: User, administered_homes: Collection[str]) -> User:
    """Return the user as the administrators of these homes see them.

    Other homes are left out. The user looks disabled if these homes have all disabled the user.
    """
    homes = tuple(home for home in user.homes if home in administered_homes)
    disabled_at = user.disabled_at
    is_disabled_in_all = all(home in user.disabled_in for home in homes)
    if disabled_at is None and is_disabled_in_all:
        disabled_at = max((user.disabled_in[home] for home in homes), default=None)
    return replace(
        user,
        home=homes[0] if len(homes) == 1 else homes,
        disabled_at=disabled_at,
        disabled_in={},
    )


def disable(user: User, administered_homes: Collection[str], now: datetime) -> User:
    """Disable the user for these of their homes; a repeat changes nothing."""
    if user.disabled_at is not None:
        return user
    if set(user.homes) <= set(administered_homes):
        return replace(user, disabled_at=now)
    disabled_now = {home: now for home in user.homes if home in administered_homes}
    return replace(user, disabled_in=disabled_now | user.disabled_in)


def enable(user: User, administered_homes: Collection[str]) -> User:
    """Enable the user for these of their homes. Their grants do not change."""
    disabled_in = user.disabled_in
    if user.disabled_at is not None:
        disabled_in = dict.fromkeys(user.homes, user.disabled_at)
    still_disabled_in = {
        home: moment for home, moment in disabled_in.items() if home not in administered_homes
    }
    return replace(user, disabled_at=None, disabled_in=still_disabled_in)
