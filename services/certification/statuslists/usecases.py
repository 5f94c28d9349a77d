"""Use cases of status lists: slots are leased, lists are published.

Not here: signing (jobs).
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from services.certification.credentials.document import StatusSlot, list_url
from services.certification.lsps.rules import KeyPurpose, newest_key_name
from services.certification.statuslists import bits, rules
from services.certification.statuslists.permutation import KEY_BYTES, permute
from services.certification.statuslists.rules import (
    Epoch,
    ListKey,
    Publication,
    StatusListSlots,
    StatusPurpose,
)
from services.certification.transaction import Transaction

PUBLISH_JOB = "publish-status-lists"
_ID_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DueList:
    """A list to publish: its URL, its issuer and the raised bits."""

    list_id: str
    lsp_id: str
    url: str
    issuer: str
    key_name: str
    purpose: StatusPurpose
    raised_indexes: tuple[int, ...]


async def lease_slots(lsp_id: str, count: int, tx: Transaction) -> list[StatusListSlots]:
    """Lease slots in the lists of an LSP; their indexes do not reveal the order of the leases.

    A new epoch opens when the current one is half full.
    """
    epoch = await tx.epochs.find_current(lsp_id)
    if epoch is None or not rules.has_room(epoch, count):
        number = 1 if epoch is None else epoch.number + 1
        epoch = _open_epoch(lsp_id, number, tx)
    after, values = rules.lease(epoch, count)
    tx.epochs.save(epoch, after)
    revocation_key = _decrypt_key(epoch.revocation, tx)
    suspension_key = _decrypt_key(epoch.suspension, tx)
    return [
        StatusListSlots(
            epoch_id=epoch.id,
            revocation=_slot(epoch.revocation.list_id, value, revocation_key),
            suspension=_slot(epoch.suspension.list_id, value, suspension_key),
        )
        for value in values
    ]


async def read_due_lists(tick: datetime, tx: Transaction) -> list[DueList]:
    """Return the lists that were not published on this tick yet, with their current bits."""
    published = await tx.publications.read_ticks()
    due: list[DueList] = []
    for epoch in await tx.epochs.list_all():
        lsp = await tx.lsps.get(epoch.lsp_id)
        key = newest_key_name(lsp, KeyPurpose.STATUS)
        if key is None:
            continue
        lists = (
            (epoch.revocation.list_id, StatusPurpose.REVOCATION),
            (epoch.suspension.list_id, StatusPurpose.SUSPENSION),
        )
        for list_id, purpose in lists:
            if not rules.is_due(list_id, tick, published):
                continue
            raised_indexes = await tx.raised_bits.list_indexes(list_id)
            due.append(
                DueList(
                    list_id=list_id,
                    lsp_id=lsp.id,
                    url=list_url(lsp.origin, list_id),
                    issuer=lsp.did,
                    key_name=key,
                    purpose=purpose,
                    raised_indexes=tuple(raised_indexes),
                )
            )
    return due


async def publish(publications: list[Publication], tx: Transaction) -> None:
    """Publish these lists; an older tick never replaces a newer one."""
    stored = await tx.publications.many(publication.id for publication in publications)
    for publication in publications:
        before = stored.get(publication.id)
        if before is None:
            tx.publications.add(publication)
        elif before.tick < publication.tick:
            tx.publications.save(before, publication)


async def view_publication(list_id: str, tx: Transaction) -> Publication:
    """Return a published list; unscoped, because lists are public."""
    return await tx.publications.get(list_id, scoped=False)


def _open_epoch(lsp_id: str, number: int, tx: Transaction) -> Epoch:
    epoch = Epoch(
        id=secrets.token_hex(_ID_BYTES),
        lsp_id=lsp_id,
        number=number,
        revocation=_new_list_key(tx),
        suspension=_new_list_key(tx),
    )
    tx.wake(PUBLISH_JOB)
    return tx.epochs.add(epoch)


def _new_list_key(tx: Transaction) -> ListKey:
    list_id = secrets.token_hex(_ID_BYTES)
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return ListKey(list_id=list_id, sealed_key=tx.cipher.encrypt_to_text(key, key_context(list_id)))


def _decrypt_key(list_key: ListKey, tx: Transaction) -> bytes:
    key = tx.cipher.decrypt_text(list_key.sealed_key, key_context(list_key.list_id))
    return base64.b64decode(key)


def _slot(list_id: str, value: int, key: bytes) -> StatusSlot:
    return StatusSlot(list_id=list_id, index=permute(value, bits.ENTRIES, key))


def key_context(list_id: str) -> str:
    """Return the context to which the encrypted key of a list is bound."""
    return f"list/{list_id}/key"
