"""A Lapas with a workshop, its goods and its buyers, for the wire tests: each test has a Lapas of its own in one running service."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import httpx2

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.marketplace.payments import midtrans
from services.marketplace.transaction import Transaction
from services.marketplace.workers import usecases as workers
from tests.fakes import AsgiClient

KEY = "SB-Mid-server-TESTKEY"
R = TypeVar("R")
Json = dict[str, Any]


@dataclass(slots=True)
class Lapas:
    """One Lapas in the service under test."""

    client: AsgiClient
    facility: str = field(default_factory=lambda: f"LP-{new_id()[-12:]}")
    workshop: Json = field(default_factory=dict[str, Any])
    sku: str = ""
    product: Json = field(default_factory=dict[str, Any])
    people: list[str] = field(default_factory=list[str])

    def as_(self, role: str, subject: str = "") -> AsgiClient:
        """An officer of this Lapas."""
        return self.client.as_(
            role, subject=subject or f"{role}-{self.facility}", facility=self.facility
        )

    @property
    def public(self) -> AsgiClient:
        """Anybody."""
        return self.client.as_("public", subject="public")

    @property
    def engine(self) -> TransactionManager[Transaction]:
        """The engine of the service."""
        return self.client.app.state.engine

    @property
    def stock_id(self) -> str:
        """Where the goods lie."""
        return f"{self.sku}@{self.facility}:lapas"

    async def as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself, as an event or job does."""
        return await Runner(
            self.engine, OperationContext(caller=system("marketplace"), correlation_id=new_id())
        )(use_case)

    async def overtaken(
        self,
        use_case: Callable[[Transaction], Awaitable[R]],
        change: Callable[[], Awaitable[object]],
    ) -> R:
        """Run a use case as the service, and once, when it is about to commit, let the change commit first."""
        overtakes = [change]

        async def body(tx: Transaction) -> R:
            result = await use_case(tx)
            if overtakes:
                await overtakes.pop()()
            return result

        return await self.as_service(body)

    async def stored(self, collection: str, **where: Any) -> list[Json]:
        """Documents as they are kept."""
        return await self.client.app.state.life.db.find(collection, where)

    async def open_workshop(self, price: int = 100_000) -> None:
        """A workshop with one published product and an active 50/15/35 policy."""
        officer, store = self.as_("workshop_officer"), self.as_("store_officer")
        self.workshop = await made(
            officer.post(
                "/v1/workshops",
                json={
                    "facility_id": self.facility,
                    "code": "KAYU",
                    "name": "Bengkel Kayu",
                    "product_classes": ["mebel"],
                    "unit_kind": "hour",
                    "programmes": [{"programme_id": "prog-1", "title": "Pertukangan kayu"}],
                },
            )
        )
        self.sku = f"KURSI-{self.facility[-6:].upper()}"
        variants = [{"sku": self.sku, "price_idr": price}]
        body = {
            "workshop_id": self.workshop["id"],
            "product_class": "mebel",
            "title": "Kursi jati",
            "variants": variants,
        }
        self.product = await made(store.post("/v1/products", json=body))
        await done(store.post(f"/v1/products/{self.product['id']}/publication"))
        await self.agree_policy({"premi": 5000, "pnbp": 1500, "modal": 3500})

    async def agree_policy(
        self, shares: dict[str, int], *, first: date | None = None, base: str = "net_of_cost"
    ) -> Json:
        """A policy of the whole Lapas, drafted and proposed by the treasurer, approved and activated by the head."""
        drafted = await made(
            self.as_("treasurer").post(
                "/v1/split-policies", json=self.policy(shares, first=first, base=base)
            )
        )
        path = f"/v1/split-policies/{drafted['id']}"
        await done(self.as_("treasurer").post(f"{path}/proposal"))
        await done(self.as_("head").post(f"{path}/approval"))
        return await done(self.as_("head").post(f"{path}/activation"))

    def policy(
        self, shares: dict[str, int], *, first: date | None = None, base: str = "net_of_cost"
    ) -> Json:
        """The body of a policy."""
        return {
            "facility_id": self.facility,
            "base": base,
            "shares": [{"party": party, "bps": bps} for party, bps in shares.items()],
            "effective_from": str(first or date(2026, 1, 1)),
            "legal_basis": "contoh",
            "document_hash": "0" * 64,
        }

    async def employ(self, *units: int) -> list[str]:
        """Participants with the TPP's yes and a place in the workshop, one for each number."""
        today = datetime.now(UTC).date()
        self.people = [f"ref-{new_id()}" for _ in units]
        for person in self.people:
            await self.as_service(
                lambda tx, person=person: workers.record_decision(
                    person, self.facility, today - timedelta(days=9), None, tx, eligible=True
                )
            )
            place = {
                "workshop_id": self.workshop["id"],
                "role": "tukang",
                "consented_on": str(today),
                "from_on": str(today - timedelta(days=1)),
            }
            await made(
                self.as_("workshop_officer").post(
                    "/v1/work-assignments", json={"participant_ref": person} | place
                )
            )
        return self.people

    async def produce(self, qty: int, cost: int, *units: int) -> Json:
        """A completed batch; `units` are the work units of each participant employed."""
        officer = self.as_("workshop_officer")
        if not self.people:
            await self.employ(*units)
        body = {
            "workshop_id": self.workshop["id"],
            "sku": self.sku,
            "qty_planned": qty,
            "material_cost_idr": cost,
        }
        batch = await made(officer.post("/v1/batches", json=body))
        path = f"/v1/batches/{batch['id']}"
        await done(officer.post(f"{path}/start"))
        for person, count in (
            (person, count) for person, count in zip(self.people, units, strict=True) if count
        ):
            log = {
                "batch_id": batch["id"],
                "participant_ref": person,
                "work_units": count,
                "worked_on": str(jakarta_today()),
            }
            await made(officer.post("/v1/work-logs", json=log))
        await done(officer.post(f"{path}/quality-check"))
        return await done(officer.post(f"{path}/completion", json={"qty_good": qty}))

    async def cart(self, *quantities: int) -> str:
        """A cart with lines of the product."""
        lines = [{"sku": self.sku, "qty": qty} for qty in quantities]
        return (await made(self.public.post("/v1/carts", json={"lines": lines})))["id"]

    async def check_out(self, cart_id: str) -> httpx2.Response:
        """Checkout of a guest."""
        contact = {"name": "Pembeli Contoh", "phone": "0812-0000-0000", "address": "Jalan Contoh 1"}
        return await self.public.post(
            "/v1/checkout", json={"cart_id": cart_id, "contact": contact}, headers=patient()
        )

    async def order(self, *quantities: int) -> Json:
        """A placed order with its charge open."""
        return await made(self.check_out(await self.cart(*quantities)))

    async def command(self, order: Json, command: str) -> Json:
        """Make the sandbox do something."""
        return await done(
            self.public.post(f"/v1/payments/sandbox/{order['id']}-1/{command}", headers=patient())
        )

    async def paid_order(self, *quantities: int) -> Json:
        """A paid order."""
        order = await self.order(*quantities)
        assert (await self.command(order, "pay"))["answers"] == [200]
        return order

    async def state(self, order: Json) -> str:
        """The state of an order."""
        return (await done(self.public.get(f"/v1/orders/{order['id']}?token={order['token']}")))[
            "state"
        ]

    async def notify(self, order: Json, **changed: str) -> httpx2.Response:
        """A notification over the raw route, well signed for what is signed unless `signature_key` is given; the rest as changed."""
        [charge] = await self.stored("sandbox_charges", _id=f"{order['id']}-1")
        body = {
            "transaction_time": f"{charge['opened_at'] + timedelta(hours=7):%Y-%m-%d %H:%M:%S}",
            "transaction_id": (await self.txn(order)),
            "transaction_status": "settlement",
            "status_code": "200",
            "order_id": charge["_id"],
            "merchant_id": "G-SANDBOX",
            "gross_amount": f"{charge['amount_idr']}.00",
            "fraud_status": "accept",
            "currency": "IDR",
        } | changed
        body.setdefault(
            "signature_key",
            midtrans.compute_signature(
                body["order_id"], body["status_code"], body["gross_amount"], KEY
            ),
        )
        return await self.public.post(
            "/v1/payments/notifications/sandbox",
            content=json.dumps(body).encode(),
            headers=patient(),
        )

    async def txn(self, order: Json) -> str:
        """The gateway's id of an order's charge."""
        [stored] = await self.stored("orders", _id=order["id"])
        return stored["charge"]["txn_id"]

    async def stock(self) -> tuple[int, int, int]:
        """on_hand, reserved, allocated."""
        [stock] = await self.stored("stock", _id=self.stock_id)
        return stock["on_hand"], stock["reserved"], stock["allocated"]

    async def balances(self) -> dict[str, int]:
        """Debit less credit by kind of account; the books must balance."""
        trial = await done(self.as_("treasurer").get("/v1/ledger/trial-balance"))
        assert trial["balanced"]
        return {
            row["account"]: row["debit"] - row["credit"]
            for book in trial["books"]
            for row in book["accounts"]
        }

    async def journals(self, order: Json) -> list[Json]:
        """The journals of an order."""
        return (await done(self.as_("auditor").get(f"/v1/ledger/journals?source={order['id']}")))[
            "items"
        ]

    async def tasks(self) -> list[Json]:
        """The open tasks."""
        return (await done(self.as_("treasurer").get("/v1/marketplace-tasks")))["items"]


async def made(answer: Awaitable[httpx2.Response]) -> Json:
    """The body of a 201."""
    got = await answer
    assert got.status_code == 201, got.text
    return got.json()


async def done(answer: Awaitable[httpx2.Response]) -> Json:
    """The body of a 200."""
    got = await answer
    assert got.status_code == 200, got.text
    return got.json()


def patient() -> dict[str, str]:
    """The deadline of a caller who waits a minute, on however slow a machine."""
    return {"x-request-deadline": str(round((time.time() + 60) * 1000))}


def jakarta_today() -> date:
    """Today in the zone of the test Lapas."""
    return (datetime.now(UTC) + timedelta(hours=7)).date()


async def together(*awaitables: Awaitable[R]) -> list[R]:
    """All at once."""
    return list(await asyncio.gather(*awaitables))
