"""A shop of letters with an encrypted text and its look-up value, for the rotation of keys.

`python -m tests.chassis.jobs.key_shop URL DATABASE LETTER PAGE` rotates its keys in pages of PAGE
letters. It kills itself (SIGKILL) at LETTER, before its page is committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from chassis.caller import system
from chassis.ids import new_id
from chassis.jobs import key_rotation
from chassis.jobs.key_rotation import KeyedStore, KeyRotation
from chassis.persistence import unit_of_work
from chassis.persistence.field_encryption import EncryptedField, FieldCipher, KeyRing, LookupKeys
from chassis.persistence.mongo import Mongo
from chassis.persistence.store import Store
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext, StoreOf

MASTER = b"m" * 32
NEW_MASTER = b"n" * 32
LOOKUP = b"l" * 32
NEW_LOOKUP = b"k" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter whose text is encrypted and can be found; `read` counts its readers."""

    id: str
    version: int = 0
    text: EncryptedField | None
    lookup: str = ""
    lookup_key: str = ""
    read: int = 0


class Letters(Store[Letter]):
    kind = Letter
    collection = "letters"
    scope: ClassVar = {"public": ""}
    secret = frozenset({"text", "lookup", "lookup_key"})


class Transaction(unit_of_work.Transaction):
    letters = StoreOf(Letters)


class Keys:
    """The rings of a process: current keys, and the former ones of the first process."""

    def __init__(self, *, is_rotating: bool = False, has_former: bool = True) -> None:
        if is_rotating:
            masters = KeyRing("master_key", NEW_MASTER, [MASTER] if has_former else [])
            lookups = KeyRing("lookup_key", NEW_LOOKUP, [LOOKUP] if has_former else [])
        else:
            masters = KeyRing("master_key", MASTER)
            lookups = KeyRing("lookup_key", LOOKUP)
        self.cipher = FieldCipher(masters)
        self.lookups = LookupKeys(lookups)

    @property
    def stores(self) -> list[KeyedStore]:
        rings = {"text.key_id": self.cipher.ring, "lookup_key": self.lookups.ring}
        return [KeyedStore(store=Letters, rings=rings, renew=self.renew)]

    def letter(self, id_: str, text: str) -> Letter:
        """Return a letter under the current keys."""
        return Letter(
            id=id_,
            text=self.cipher.encrypt(text, id_),
            lookup=self.lookups.value(text),
            lookup_key=self.lookups.key_id,
        )

    def renew(self, letter: Letter) -> Letter:
        if letter.text is None:
            return letter
        text = self.cipher.decrypt(letter.text, letter.id)
        return replace(
            letter,
            text=self.cipher.renew(letter.text, letter.id),
            lookup=self.lookups.value(text),
            lookup_key=self.lookups.key_id,
        )

    def read(self, letter: Letter) -> str:
        assert letter.text
        return self.cipher.decrypt(letter.text, letter.id)


def runner(db: Mongo) -> Runner[Transaction]:
    context = OperationContext(caller=system("shop"), correlation_id=new_id(), what="job:rotate")
    return Runner(TransactionManager(db, Transaction), context)


async def write(db: Mongo, keys: Keys, texts: dict[str, str]) -> None:
    """Store letters by id."""

    async def add(tx: Transaction) -> None:
        for id_, text in texts.items():
            tx.letters.add(keys.letter(id_, text))

    await runner(db)(add)


async def read_all(db: Mongo) -> list[Letter]:
    async def find(tx: Transaction) -> list[Letter]:
        return await tx.letters.find({}, sort=[("_id", 1)])

    return await runner(db)(find)


async def rotate(db: Mongo, rotation: KeyRotation) -> None:
    """Run the job until it has nothing to do at once."""
    while await rotation(runner(db)):
        pass


def _kill_in_page(keys: Keys, last: str, letter: Letter) -> Letter:
    if letter.id == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return keys.renew(letter)


async def _rotate_until_killed(url: str, database: str, last: str, page: str) -> None:
    key_rotation.PAGE_DOCUMENTS = int(page)
    keys = Keys(is_rotating=True)
    stores: list[Any] = [replace(keys.stores[0], renew=partial(_kill_in_page, keys, last))]
    await rotate(Mongo(url, database), KeyRotation(stores))


if __name__ == "__main__":
    asyncio.run(_rotate_until_killed(*sys.argv[1:]))
