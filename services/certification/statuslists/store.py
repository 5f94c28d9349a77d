"""The stores of status lists: epochs with their counters, raised bits, publications."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.store import Index, Store
from services.certification.statuslists.rules import Epoch, ListUnknown, Publication, RaisedBit


class Epochs(Store[Epoch]):
    """Epochs, scoped by the caller's claim `lsp`."""

    kind = Epoch
    collection = "epochs"
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id", ("number", -1), unique=True),)
    secret = frozenset({"revocation", "suspension"})
    audited = False

    async def find_current(self, lsp_id: str) -> Epoch | None:
        """Return the epoch from which an LSP's slots are leased now."""
        return await self.first({"lsp_id": lsp_id}, sort=[("number", -1)])

    async def list_all(self) -> list[Epoch]:
        """Return every epoch: each is published as long as certificates point to it."""
        return await self.find({})


class RaisedBits(Store[RaisedBit]):
    """Raised bits, scoped by the caller's claim `lsp`."""

    kind = RaisedBit
    collection = "marks"
    scope = {"lsp": "lsp_id"}
    indexes = (Index("list_id"),)

    async def list_indexes(self, list_id: str) -> list[int]:
        """Return the indexes of the bits that are 1."""
        return [raised.index for raised in await self.find({"list_id": list_id})]


class Publications(Store[Publication]):
    """Published lists, scoped by the caller's claim `lsp`; the public route reads unscoped."""

    kind = Publication
    collection = "publications"
    unknown = ListUnknown
    scope = {"lsp": "lsp_id"}
    audited = False

    async def read_ticks(self) -> dict[str, datetime]:
        """Return the tick of each published list by list id."""
        return {publication.id: publication.tick for publication in await self.find({})}
