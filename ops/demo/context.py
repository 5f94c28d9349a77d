"""What the steps of the demo share: callers, ids so far, constants. Not here: any step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.local.gateway_client import GatewayCaller, GatewayClient

ZONE = ZoneInfo("Asia/Jakarta")
FACILITY = "LP-TJP"
OTHER_FACILITY = "LP-PKP"
REGENCY = "19.02"
DINAS = "dinas-belitung"
EMPLOYER = "bengkel-las-belitung"
# Synthetic: no row describes a real person.
SNAPSHOT = Path(__file__).parent / "sample" / "LP-TJP-2026-11-16.csv"
SNAPSHOT_TAKEN_AT = "2026-11-16T14:00:00+07:00"
SCHEME = "las-smaw-1g"
LSP = "lsp-logam-nusantara"
UNITS = [
    {
        "code": "C.24LAS01.001.1",
        "title": "Mengelas pelat posisi di bawah tangan dengan proses SMAW",
    },
    {"code": "C.24LAS01.002.1", "title": "Menerapkan keselamatan kerja pengelasan"},
]
GOODS_COUNT = 7
PRICE_IDR = 100_000
MATERIAL_COST_IDR = 280_000
OK = 200


@dataclass(slots=True)
class DemoContext:
    """What has happened so far: ids by name, and what the summary shows."""

    client: GatewayClient
    today: date = field(default_factory=lambda: datetime.now(ZONE).date())
    ids: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)

    def caller(
        self, name: str, host: str = "staff", subject: str | None = None, **claims: str
    ) -> GatewayCaller:
        """Return a caller of this role; without claims an officer of our prison."""
        return self.client.caller(name, host, subject, **(claims or {"facility": FACILITY}))

    @property
    def anonymous_buyer(self) -> GatewayCaller:
        """Return a buyer without an account."""
        return self.client.caller(None, "shop")


Facts = dict[str, Any]
DemoStep = Callable[[DemoContext], Awaitable[Facts]]


async def create_if_missing(caller: GatewayCaller, path: str, body: Facts, own_path: str) -> bool:
    """Create it unless it exists; return whether it was created."""
    if (await caller.request("GET", own_path)).status == OK:
        return False
    await caller.post(path, body)
    return True
