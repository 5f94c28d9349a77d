"""What is allowed: people and systems that an issuer vouches for. No names: the issuer has them."""

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import Conflict, NotFound


class UserUnknown(NotFound):
    """No such user."""

    title = "Pengguna tidak ditemukan"


class UserElsewhere(Conflict):
    """The issuer's subject is a user already, of another place."""

    title = "Pengguna sudah terdaftar di tempat lain"
    field = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who an issuer calls `external`. Our own id is what services and audit rows see. `home` is the facility whose administrator looks after them, "" where none does."""

    id: str
    version: int = 0
    issuer: str
    external: str
    home: str = ""
    disabled_at: datetime | None = None


def known_at(user: User, home: str) -> User:
    """The user who was registered before; UserElsewhere where another place did."""
    if user.home != home:
        raise UserElsewhere
    return user


def disable(user: User, now: datetime) -> User:
    """Nobody acts as this user any more. Once is enough: a second time changes nothing."""
    return user if user.disabled_at is not None else replace(user, disabled_at=now)


def enable(user: User) -> User:
    """The user may act again, under the grants then in force."""
    return replace(user, disabled_at=None)
