"""What is allowed: people and systems that an OIDC issuer vouches for. No names: the issuer has them."""

from dataclasses import dataclass

from chassis.errors import Conflict, NotFound


class UserUnknown(NotFound):
    """No such user."""

    title = "Pengguna tidak ditemukan"


class UserAlreadyKnown(Conflict):
    """The issuer's subject is a user already."""

    title = "Pengguna sudah terdaftar"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who an issuer calls `external`. Our own id is what services and audit rows see."""

    id: str
    version: int = 0
    issuer: str
    external: str


def register(known: User | None, *, id: str, issuer: str, external: str) -> User:
    """A new user; UserAlreadyKnown where the issuer's subject is one."""
    if known is not None:
        raise UserAlreadyKnown(user_id=known.id)
    return User(id=id, issuer=issuer, external=external)
