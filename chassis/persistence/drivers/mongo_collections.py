"""Collections of one database: validators and indexes, created, changed, renamed, dropped.

Not here: documents and transactions (mongo).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.persistence.drivers.driver_calls import read_all
from chassis.persistence.drivers.mongo_codec import as_stored
from chassis.persistence.drivers.mongo_errors import CollectionInvalid, OperationFailure
from chassis.persistence.statements import Document, Index

PAGE = 10_000
_NAMESPACE_EXISTS = 48
_INDEX_NOT_FOUND = 27
_TTL = "expireAfterSeconds"


class IndexDiffers(Exception):
    """An index has other options than this version declares; the message says what to do."""


class Collections:
    """The collections of one database; `Mongo` adds what is done with their documents."""

    client: Any
    db: Any
    name: str

    async def collections(self) -> dict[str, Document | None]:
        """Return the collections that exist, with their `$jsonSchema`."""
        answer = await self.db.command("listCollections", cursor={"batchSize": PAGE})
        return {
            collection["name"]: collection.get("options", {})
            .get("validator", {})
            .get("$jsonSchema")
            for collection in answer["cursor"]["firstBatch"]
        }

    async def ensure_collection(
        self,
        name: str,
        validator: Document | None,
        indexes: Iterable[Index],
        existing: Mapping[str, Document | None],
    ) -> None:
        """Create or change the collection to have this validator and these indexes.

        `existing` is the result of `collections`. An unchanged validator is not written again,
        because `collMod` would wait for a transaction that a killed process left open. Raises
        IndexDiffers.
        """
        options: Document = {}
        if validator:
            options = {"validator": {"$jsonSchema": validator}, "validationLevel": "strict"}
        if name not in existing:
            await self._create_collection(name, options)
        elif validator and existing[name] != validator:
            await self.db.command("collMod", name, **options)
        listed = {index["name"]: index for index in await read_all(self.db[name].list_indexes())}
        for index in indexes:
            if index.name not in listed:
                await self.db[name].create_index(index.keys, **index.options)
            else:
                await self._adapt_index(name, index, listed[index.name])

    async def drop_indexes(self, collection: str, names: Iterable[str]) -> None:
        """Drop these indexes of a collection; one that does not exist is no error."""
        listed = {index["name"] for index in await read_all(self.db[collection].list_indexes())}
        for name in listed & set(names):
            try:
                await self.db[collection].drop_index(name)
            except OperationFailure as error:
                if error.code != _INDEX_NOT_FOUND:  # another replica was first
                    raise

    async def _adapt_index(self, collection: str, index: Index, stored: Document) -> None:
        """Give a stored index the declared life of documents. Raises IndexDiffers for the rest."""
        wanted = as_stored(index.options)
        for option in ("unique", "partialFilterExpression"):
            if (stored.get(option) or None) != (wanted.get(option) or None):
                raise IndexDiffers(
                    f"{collection}: the index {index.name} exists with {option} = "
                    f"{stored.get(option)}, and this version declares {wanted.get(option)}. Stop "
                    f"the service, run db.{collection}.dropIndex({index.name!r}) in its database, "
                    "and start it again."
                )
        if stored.get(_TTL) == wanted.get(_TTL):
            return
        if _TTL not in wanted:
            raise IndexDiffers(
                f"{collection}: the index {index.name} still removes documents after "
                f"{stored[_TTL]} s, which this version no longer does. Stop the service, run "
                f"db.{collection}.dropIndex({index.name!r}) in its database, and start it again."
            )
        change = {"name": index.name, _TTL: wanted[_TTL]}
        await self.db.command("collMod", collection, index=change)

    async def _create_collection(self, name: str, options: Document) -> None:
        try:
            await self.db.create_collection(name, **options)
        except CollectionInvalid:
            return  # another replica was first
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise

    async def rename(self, collection: str, to: str, *, replaces: bool = True) -> None:
        """Rename a collection; `replaces` drops one of the new name, else MongoError is raised."""
        await self.db[collection].rename(to, dropTarget=replaces)

    async def drop_collection(self, collection: str) -> None:
        """Drop a collection and its indexes."""
        await self.db.drop_collection(collection)

    async def drop(self) -> None:
        """Drop the database."""
        await self.client.drop_database(self.name)
