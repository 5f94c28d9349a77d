"""The values under keys of training: NIKs, raw cells, chunks of lists, keys of files.

Not here: when they are renewed (chassis.jobs.key_rotation).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from chassis.files.upload_rules import Upload
from chassis.files.upload_store import Uploads
from chassis.jobs.key_rotation import KeyedStore
from chassis.persistence.field_encryption import FieldCipher, LookupKeys
from services.training.identities.rules import Identity
from services.training.identities.store import Identities
from services.training.raw_cells.rules import RawCells
from services.training.raw_cells.store import RawCellsStore
from services.training.snapshots.rules import Chunk
from services.training.snapshots.store import Chunks


def keyed_stores(cipher: FieldCipher, lookup_keys: LookupKeys) -> tuple[KeyedStore, ...]:
    """Return the stores whose documents name keys of these rings."""
    return (
        KeyedStore(
            store=Identities,
            rings={"nik.key_id": cipher.ring, "nik_lookup_key": lookup_keys.ring},
            renew=partial(_renew_identity, cipher, lookup_keys),
        ),
        KeyedStore(
            store=Chunks,
            rings={"sealed.key_id": cipher.ring},
            renew=partial(_renew_chunk, cipher),
        ),
        KeyedStore(
            store=RawCellsStore,
            rings={"sealed.key_id": cipher.ring},
            renew=partial(_renew_raw_cells, cipher),
        ),
        KeyedStore(
            store=Uploads,
            rings={"key.key_id": cipher.ring},
            renew=partial(_renew_upload, cipher),
        ),
    )


def _renew_identity(cipher: FieldCipher, lookup_keys: LookupKeys, identity: Identity) -> Identity:
    """Return the identity with its NIK and its look-up value under the current keys."""
    if identity.nik is None:
        return identity
    renewed = replace(identity, nik=cipher.renew(identity.nik, identity.id))
    if identity.nik_lookup_key == lookup_keys.key_id:
        return renewed
    nik = cipher.decrypt(identity.nik, identity.id)
    return replace(renewed, nik_lookup=lookup_keys.value(nik), nik_lookup_key=lookup_keys.key_id)


def _renew_chunk(cipher: FieldCipher, chunk: Chunk) -> Chunk:
    return replace(chunk, sealed=cipher.renew(chunk.sealed, chunk.id))


def _renew_raw_cells(cipher: FieldCipher, cells: RawCells) -> RawCells:
    return replace(cells, sealed=cipher.renew(cells.sealed, cells.id))


def _renew_upload(cipher: FieldCipher, upload: Upload) -> Upload:
    return replace(upload, key=cipher.ring.rewrap(upload.key))
