"""What happens: places in status lists are leased, lists are published."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from services.certification.certificates.rules import StatusListSlots
from services.certification.credentials.document import StatusSlot, list_url
from services.certification.lsps.rules import KeyPurpose, newest_key_name
from services.certification.statuslists import bits, rules
from services.certification.statuslists.permutation import KEY_BYTES, permute
from services.certification.statuslists.rules import Epoch, ListKey, Publication, StatusPurpose
from services.certification.transaction import Transaction
from services.certification.vault import FieldCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class DueList:
    """A list to be published: where, by whom, and which bits are raised."""

    list_id: str
    lsp_id: str
    url: str
    issuer: str
    key_name: str
    purpose: StatusPurpose
    raised_indexes: tuple[int, ...]


async def lease_slots(lsp_id: str, count: int, tx: Transaction) -> list[StatusListSlots]:
    """So many places in the lists of an LSP, in an order that tells nothing; a new epoch is opened when the current one is half full."""
    epoch = await tx.epochs.find_current(lsp_id)
    if epoch is None or not rules.has_room(epoch, count):
        lists = [ListKey(list_id=secrets.token_hex(10), sealed_key="") for _ in StatusPurpose]
        revocation, suspension = (
            ListKey(
                list_id=one.list_id,
                sealed_key=_vault(tx).encrypt(
                    _encode_key(secrets.token_bytes(KEY_BYTES)), _key_context(one.list_id)
                ),
            )
            for one in lists
        )
        epoch = tx.epochs.add(
            Epoch(
                id=secrets.token_hex(10),
                lsp_id=lsp_id,
                number=1 if epoch is None else epoch.number + 1,
                revocation=revocation,
                suspension=suspension,
            )
        )
        tx.wake("publish-status-lists")
    after, values = rules.lease(epoch, count)
    tx.epochs.save(epoch, after)
    keys = {
        one.list_id: base64.b64decode(_vault(tx).decrypt(one.sealed_key, _key_context(one.list_id)))
        for one in (epoch.revocation, epoch.suspension)
    }

    def slot(list_id: str, value: int) -> StatusSlot:
        return StatusSlot(list_id=list_id, index=permute(value, bits.ENTRIES, keys[list_id]))

    return [
        StatusListSlots(
            epoch_id=epoch.id,
            revocation=slot(epoch.revocation.list_id, value),
            suspension=slot(epoch.suspension.list_id, value),
        )
        for value in values
    ]


async def read_due_lists(tick: datetime, tx: Transaction) -> list[DueList]:
    """The lists that were not published on this tick yet, with their bits as they stand now."""
    published = await tx.publications.read_ticks()
    due: list[DueList] = []
    for epoch in await tx.epochs.list_all():
        lsp = await tx.lsps.get(epoch.lsp_id)
        key = newest_key_name(lsp, KeyPurpose.STATUS)
        for one, purpose in (
            (epoch.revocation, StatusPurpose.REVOCATION),
            (epoch.suspension, StatusPurpose.SUSPENSION),
        ):
            if key is not None and (one.list_id not in published or published[one.list_id] < tick):
                raised = tuple(await tx.raised_bits.list_indexes(one.list_id))
                due.append(
                    DueList(
                        list_id=one.list_id,
                        lsp_id=lsp.id,
                        url=list_url(lsp.origin, one.list_id),
                        issuer=lsp.did,
                        key_name=key,
                        purpose=purpose,
                        raised_indexes=raised,
                    )
                )
    return due


async def publish(publications: list[Publication], tx: Transaction) -> None:
    """From now on the world reads these; an older tick never takes the place of a newer one."""
    known = await tx.publications.many(one.id for one in publications)
    for one in publications:
        before = known.get(one.id)
        if before is None:
            tx.publications.add(one)
        elif before.tick < one.tick:
            tx.publications.save(before, one)


async def published(list_id: str, tx: Transaction) -> Publication:
    """A list as the world reads it; unscoped, for lists are public."""
    return await tx.publications.get(list_id, scoped=False)


def _vault(tx: Transaction) -> FieldCipher:
    return tx.cipher


def _encode_key(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _key_context(list_id: str) -> str:
    return f"list/{list_id}/key"
