"""The state that the steps of the demo share: callers, ids, constants. Not here: the steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.language import Bilingual
from ops.local.gateway_client import GatewayCaller, GatewayClient, UnexpectedAnswer

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that was refused as it should be, with the facts of the response."""

    attempt: Bilingual
    answer: Any
    facts: dict[str, Any]


@dataclass(slots=True)
class DemoContext:
    """The results so far: ids by name, and the facts of the summary."""

    client: GatewayClient
    today: date = field(default_factory=lambda: datetime.now(ZONE).date())
    ids: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list[Refusal])

    def caller(
        self, name: str, host: str = "staff", subject: str | None = None, **claims: str
    ) -> GatewayCaller:
        """Return a caller in this role; without claims, of the demo's prison."""
        return self.client.caller(name, host, subject, **(claims or {"facility": FACILITY}))

    def record_refusal(self, indonesian: str, english: str, answer: Any, **facts: Any) -> None:
        """Record an attempt that was refused as it should be."""
        self.refusals.append(Refusal(Bilingual(indonesian, english), answer, facts))

    @property
    def anonymous_buyer(self) -> GatewayCaller:
        """Return a buyer without an account."""
        return self.client.caller(None, "shop")


Facts = dict[str, Any]
DemoStep = Callable[[DemoContext], Awaitable[Facts]]


async def create_if_missing(caller: GatewayCaller, path: str, body: Facts, own_path: str) -> bool:
    """POST the body unless `own_path` exists; return whether it was created."""
    if (await caller.request("GET", own_path)).status == OK:
        return False
    await caller.post(path, body)
    return True


async def act_on_line(officer: GatewayCaller, path: str, body: Facts, method: str = "POST") -> Any:
    """Send a roster act of one line; return the line, which must be applied."""
    answer = await officer.request_expecting(method, path, body)
    [line] = answer["lines"]
    if line["outcome"] != "applied":
        raise UnexpectedAnswer(f"roster act {path}", OK, line)
    return line
