"""The stores of snapshots, of their encrypted chunks, and of rosters."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.snapshots.rules import (
    Chunk,
    ChunkKind,
    Roster,
    Snapshot,
    SnapshotState,
    SnapshotUnknown,
)


class Snapshots(Store[Snapshot]):
    kind = Snapshot
    collection = "snapshots"
    unknown = SnapshotUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("facility_id", "checksum", "taken_at", "mapping_version", unique=True),
        Index("state", "received_at"),
        Index("facility_id", ("taken_at", -1)),
    )
    former_indexes = ("facility_id_checksum_unique",)
    schema = 3

    async def find_same(
        self, facility_id: str, checksum: str, taken_at: datetime, mapping_version: int
    ) -> Snapshot | None:
        """Return the snapshot of the same bytes and time, read by the same mapping."""
        return await self.first(
            {
                "facility_id": facility_id,
                "checksum": checksum,
                "taken_at": taken_at,
                "mapping_version": mapping_version,
            }
        )

    async def list_applying_facilities(self) -> list[str]:
        """Return the facilities with snapshots that are being applied, by time of receipt."""
        applying = await self.find(
            {"state": SnapshotState.APPLYING.value}, sort=[("received_at", 1), ("_id", 1)]
        )
        return list(dict.fromkeys(snapshot.facility_id for snapshot in applying))

    async def find_next_to_apply(self, facility_id: str) -> Snapshot | None:
        """Return the snapshot of a facility that was received first of those being applied."""
        return await self.first(
            {"state": SnapshotState.APPLYING.value, "facility_id": facility_id},
            sort=[("received_at", 1), ("_id", 1)],
        )

    async def list_page(self, facility_id: str, cursor: str | None, limit: int) -> Page[Snapshot]:
        """Return a page of a facility's snapshots, newest first."""
        return await self.page(
            {"facility_id": facility_id}, sort=("taken_at", -1), cursor=cursor, limit=limit
        )


class Chunks(Store[Chunk]):
    kind = Chunk
    collection = "snapshot_chunks"
    scope = {"facility": "facility_id"}
    indexes = (Index("snapshot_id", "kind", "number"), Index("facility_id", "kind"))
    audited = False

    async def find_next_to_apply(self, snapshot_id: str) -> Chunk | None:
        """Return the chunk of the snapshot that is applied next."""
        return await self.first(
            {
                "snapshot_id": snapshot_id,
                "kind": {"$in": [ChunkKind.ROWS.value, ChunkKind.MISSING.value]},
            },
            sort=[("number", 1)],
        )

    async def list_by_snapshot(self, snapshot_id: str, kind: ChunkKind) -> list[Chunk]:
        """Return all chunks of one kind of a snapshot, in order."""
        return await self.find(
            {"snapshot_id": snapshot_id, "kind": kind.value}, sort=[("number", 1)]
        )

    async def list_by_facility(self, facility_id: str, kind: ChunkKind) -> list[Chunk]:
        """Return all chunks of one kind of a facility: STOPPED rows, or HELD rows."""
        return await self.find({"facility_id": facility_id, "kind": kind.value})


class Rosters(Store[Roster]):
    kind = Roster
    collection = "rosters"
    scope = {"facility": "_id"}
    schema = 2
    audited = False

    async def read_last_seen(self) -> dict[str, datetime]:
        """Return the last contact of each facility, for metrics. Unscoped."""
        rows = await self.tx.db.find(
            self.collection,
            {"seen_at": {"$ne": None}},
            fields={"seen_at": 1},
            session=self.tx.session,
        )
        return {row["_id"]: row["seen_at"] for row in rows}
