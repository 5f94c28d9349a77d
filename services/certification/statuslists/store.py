"""How status lists are kept: epochs with their counters, raised bits, publications."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.store import Index, Store
from services.certification.statuslists.rules import Epoch, ListUnknown, Publication, RaisedBit


class Epochs(Store[Epoch]):
    kind = Epoch
    collection = "epochs"
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id", ("number", -1), unique=True),)
    secret = frozenset({"revocation", "suspension"})
    audited = False

    async def find_current(self, lsp_id: str) -> Epoch | None:
        """The epoch out of which an LSP's places are leased now."""
        return await self.first({"lsp_id": lsp_id}, sort=[("number", -1)])

    async def list_all(self) -> list[Epoch]:
        """Every epoch: all of them are published for as long as certificates point to them."""
        return await self.find({})


class RaisedBits(Store[RaisedBit]):
    kind = RaisedBit
    collection = "marks"
    scope = {"lsp": "lsp_id"}
    indexes = (Index("list_id"),)

    async def list_indexes(self, list_id: str) -> list[int]:
        """The indexes whose bit is 1."""
        return [mark.index for mark in await self.find({"list_id": list_id})]


class Publications(Store[Publication]):
    kind = Publication
    collection = "publications"
    unknown = ListUnknown
    scope = {"lsp": "lsp_id"}
    audited = False

    async def read_ticks(self) -> dict[str, datetime]:
        """The tick of each list's publication by list id."""
        return {publication.id: publication.tick for publication in await self.find({})}
