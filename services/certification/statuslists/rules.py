"""What is allowed: which status list counts, how places in it are given out, when it is published (certification section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from chassis.errors import NotFound
from services.certification.credentials import did, multibase, proof, shape
from services.certification.credentials.document import StatusSlot
from services.certification.statuslists import bits

VALID_FOR = timedelta(hours=24)
EPOCH_CAPACITY = bits.ENTRIES // 2
LEASE_SIZE = 100


class ListUnknown(NotFound):
    title = "Daftar status tidak ditemukan"


class StatusPurpose(StrEnum):
    """What a raised bit means."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKey:
    """One list of an epoch: its opaque id and, sealed, the key of its permutation."""

    list_id: str
    sealed_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A pair of lists of one issuer and how many places were leased out of it."""

    id: str
    version: int = 0
    lsp_id: str
    number: int
    revocation: ListKey
    suspension: ListKey
    leased: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedBit:
    """A raised bit."""

    id: str
    version: int = 0
    lsp_id: str
    list_id: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A signed list as the world reads it; its id is the list's."""

    id: str
    version: int = 0
    lsp_id: str
    tick: datetime
    content: str


def has_room(epoch: Epoch, count: int) -> bool:
    """Whether so many places may still be leased before the next epoch is opened."""
    return epoch.leased + count <= EPOCH_CAPACITY


def lease(epoch: Epoch, count: int) -> tuple[Epoch, range]:
    """The epoch after leasing, and the counter values that are now the lessee's; values never used are lost without harm."""
    return replace(epoch, leased=epoch.leased + count), range(epoch.leased, epoch.leased + count)


def raise_bit(lsp_id: str, slot: StatusSlot) -> RaisedBit:
    """The raised bit of a certificate's place."""
    return RaisedBit(id=raised_bit_id(slot), lsp_id=lsp_id, list_id=slot.list_id, index=slot.index)


def raised_bit_id(slot: StatusSlot) -> str:
    """The id of the bit at this place."""
    return f"{slot.list_id}/{slot.index}"


def last_tick(now: datetime, every: timedelta) -> datetime:
    """The last tick at or before now; ticks are the same for all issuers and do not follow anybody's day."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return start + (now - start) // every * every


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedList:
    """A list as it was found: the document (None = unobtainable) and the newest validFrom ever accepted from its URL."""

    document: dict[str, Any] | None
    newest_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedList:
    """The bits of a list that counts, and since when they hold."""

    data: bytes
    valid_from: datetime

    def is_raised(self, index: int) -> bool | None:
        """The bit at this index, None when the list is too short for it."""
        try:
            return bits.is_raised(self.data, index)
        except IndexError:
            return None


def accept_list(
    reading: FetchedList | None,
    *,
    url: str,
    purpose: str,
    issuer: str,
    keys: Mapping[str, str],
    now: datetime,
) -> AcceptedList | None:
    """The list, or None when anything about it is not as it must be: then nobody can say, which is never 'valid'.

    It must be the one the credential names, on the issuer's host, signed by a status key of the same DID, for this purpose, within its dates,
    and not older than one seen before (replay).
    """
    if reading is None or reading.document is None or urlsplit(url).netloc != did.host_of(issuer):
        return None
    shaped = shape.parse_status_list(reading.document)
    if (
        shaped is None
        or shaped.id != url
        or shaped.issuer != issuer
        or shaped.credential_subject.status_purpose != purpose
    ):
        return None
    valid_from, valid_until = (
        datetime.fromisoformat(shaped.valid_from),
        datetime.fromisoformat(shaped.valid_until),
    )
    if not valid_from <= now < valid_until or (
        reading.newest_seen is not None and valid_from < reading.newest_seen
    ):
        return None
    member, method = reading.document["proof"][0], shaped.proof[0].verification_method
    if (
        not method.startswith(f"{issuer}#status-")
        or method not in keys
        or shaped.proof[0].cryptosuite != proof.CRYPTOSUITE
    ):
        return None
    try:
        if not proof.is_valid(reading.document, member, keys[method]):
            return None
        return AcceptedList(
            data=bits.decode(shaped.credential_subject.encoded_list), valid_from=valid_from
        )
    except (bits.BitsUnreadable, multibase.NotMultibase):
        return None
