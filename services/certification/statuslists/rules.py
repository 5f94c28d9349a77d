"""Rules of status lists: which list is accepted, how slots are leased, when it is published.

Source: certification section 3.
"""

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
from services.certification.settings import TEXTS
from services.certification.statuslists import bits

VALID_FOR = timedelta(hours=24)
EPOCH_CAPACITY = bits.ENTRIES // 2
LEASE_SIZE = 100


class ListUnknown(NotFound):
    title = TEXTS["errors.list_unknown"]


class StatusPurpose(StrEnum):
    """What a bit of value 1 means."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKey:
    """One list of an epoch: its opaque id and the key of its permutation, encrypted."""

    list_id: str
    sealed_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A pair of lists of one issuer, and how many slots of it were leased."""

    id: str
    version: int = 0
    lsp_id: str
    number: int
    revocation: ListKey
    suspension: ListKey
    leased: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedBit:
    """One bit that is 1."""

    id: str
    version: int = 0
    lsp_id: str
    list_id: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A signed list as it is published; its id is the id of the list."""

    id: str
    version: int = 0
    lsp_id: str
    tick: datetime
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListSlots:
    """A certificate's slots in the two lists of an epoch."""

    epoch_id: str
    revocation: StatusSlot
    suspension: StatusSlot


def has_room(epoch: Epoch, count: int) -> bool:
    """Return whether `count` more slots may be leased from this epoch."""
    return epoch.leased + count <= EPOCH_CAPACITY


def lease(epoch: Epoch, count: int) -> tuple[Epoch, range]:
    """Lease slots; return the epoch afterwards and the leased counter values.

    Values that are never used are lost without harm.
    """
    end = epoch.leased + count
    return replace(epoch, leased=end), range(epoch.leased, end)


def raise_bit(lsp_id: str, slot: StatusSlot) -> RaisedBit:
    """Return the raised bit of a certificate's slot."""
    return RaisedBit(id=raised_bit_id(slot), lsp_id=lsp_id, list_id=slot.list_id, index=slot.index)


def raised_bit_id(slot: StatusSlot) -> str:
    """Return the id of the bit of a slot."""
    return f"{slot.list_id}/{slot.index}"


def last_tick(now: datetime, every: timedelta) -> datetime:
    """Return the last tick at or before `now`; all issuers share the ticks."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return start + (now - start) // every * every


def is_due(list_id: str, tick: datetime, published: Mapping[str, datetime]) -> bool:
    """Return whether the list was not published on this tick yet.

    `published` holds the tick of each published list.
    """
    last = published.get(list_id)
    return last is None or last < tick


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedList:
    """A list as fetched: the document (None = unobtainable).

    `newest_seen` is the newest validFrom ever accepted from its URL.
    """

    document: dict[str, Any] | None
    newest_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedList:
    """The bits of an accepted list, and the moment from which they are valid."""

    data: bytes
    valid_from: datetime

    def is_raised(self, index: int) -> bool | None:
        """Return the bit at this index; None when the list is too short for it."""
        try:
            return bits.is_raised(self.data, index)
        except IndexError:
            return None


def accept_list(
    fetched: FetchedList | None,
    *,
    url: str,
    purpose: str,
    issuer: str,
    keys: Mapping[str, str],
    now: datetime,
) -> AcceptedList | None:
    """Return the list, or None when anything about it is wrong; a status is then unknown.

    It must be the list that the credential names, on the issuer's host, signed by a status key of
    the same DID, for this purpose, within its dates, and not older than one seen before (replay).
    """
    if fetched is None or fetched.document is None:
        return None
    if urlsplit(url).netloc != did.host_of(issuer):
        return None
    document = fetched.document
    status_list = shape.parse_status_list(document)
    if status_list is None or not _is_named_list(status_list, url, issuer, purpose):
        return None
    valid_from = datetime.fromisoformat(status_list.valid_from)
    valid_until = datetime.fromisoformat(status_list.valid_until)
    is_replayed = fetched.newest_seen is not None and valid_from < fetched.newest_seen
    if is_replayed or not valid_from <= now < valid_until:
        return None
    try:
        if not _is_signed_by_status_key(status_list, document, issuer, keys):
            return None
        data = bits.decode(status_list.credential_subject.encoded_list)
    except (bits.BitsUnreadable, multibase.NotMultibase):
        return None
    return AcceptedList(data=data, valid_from=valid_from)


def _is_named_list(status_list: shape.StatusList, url: str, issuer: str, purpose: str) -> bool:
    return (
        status_list.id == url
        and status_list.issuer == issuer
        and status_list.credential_subject.status_purpose == purpose
    )


def _is_signed_by_status_key(
    status_list: shape.StatusList, document: dict[str, Any], issuer: str, keys: Mapping[str, str]
) -> bool:
    first_proof = status_list.proof[0]
    method = first_proof.verification_method
    if first_proof.cryptosuite != proof.CRYPTOSUITE:
        return False
    if not method.startswith(f"{issuer}#status-") or method not in keys:
        return False
    return proof.is_valid(document, document["proof"][0], keys[method])
