"""A Lapas with a workshop, its goods and its buyers: each test has one of its own.

All of them live in one running service. Not here: fakes (tests/fakes.py).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
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
from tests.marketplace.factories import STANDARD_SHARES, new_contact

KEY = "SB-Mid-server-TESTKEY"
R = TypeVar("R")
Json = dict[str, Any]


@dataclass(slots=True)
class LapasHarness:
    """One Lapas in the service under test."""

    client: AsgiClient
    facility: str = field(default_factory=lambda: f"LP-{new_id()[-12:]}")
    workshop: Json = field(default_factory=dict[str, Any])
    sku: str = ""
    product: Json = field(default_factory=dict[str, Any])
    people: list[str] = field(default_factory=list[str])

    def as_(self, role: str, subject: str = "") -> AsgiClient:
        """Return a client of an officer of this Lapas."""
        return self.client.as_(
            role, subject=subject or f"{role}-{self.facility}", facility=self.facility
        )

    @property
    def public(self) -> AsgiClient:
        """A client of the public."""
        return self.client.as_("public", subject="public")

    @property
    def engine(self) -> TransactionManager[Transaction]:
        """The transaction manager of the service."""
        return self.client.app.state.engine

    @property
    def stock_id(self) -> str:
        """The stock of the product in the store room."""
        return f"{self.sku}@{self.facility}:lapas"

    # Beside the routes

    def runner(self) -> Runner[Transaction]:
        """Return a runner that acts as the service itself, as an event or job does."""
        context = OperationContext(caller=system("marketplace"), correlation_id=new_id())
        return Runner(self.engine, context)

    async def as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself."""
        return await self.runner()(use_case)

    async def run_with_concurrent_change(
        self,
        use_case: Callable[[Transaction], Awaitable[R]],
        change: Callable[[], Awaitable[object]],
    ) -> R:
        """Run a use case as the service; a change commits just before its first commit."""
        changes = [change]

        async def body(tx: Transaction) -> R:
            result = await use_case(tx)
            if changes:
                await changes.pop()()
            return result

        return await self.as_service(body)

    async def stored(self, collection: str, **where: Any) -> list[Json]:
        """Return documents as they are stored."""
        return await self.client.app.state.life.db.find(collection, where)

    async def update_stored(self, collection: str, id_: str, **values: Any) -> None:
        """Change fields of a document beside the service."""
        await self.client.app.state.life.db.update(collection, {"_id": id_}, {"$set": values})

    # Workshop and policy

    async def open_workshop(self, price: int = 100_000) -> None:
        """Open a workshop with one published product and an active 50/15/35 policy."""
        workshop = {
            "facility_id": self.facility,
            "code": "KAYU",
            "name": "Bengkel Kayu",
            "product_classes": ["mebel"],
            "unit_kind": "hour",
            "programmes": [{"programme_id": "prog-1", "title": "Pertukangan kayu"}],
        }
        officer = self.as_("workshop_officer")
        self.workshop = await created(officer.post("/v1/workshops", json=workshop))
        self.sku = f"KURSI-{self.facility[-6:].upper()}"
        product = {
            "workshop_id": self.workshop["id"],
            "product_class": "mebel",
            "title": "Kursi jati",
            "variants": [{"sku": self.sku, "price_idr": price}],
        }
        drafted = await created(self.as_("store_officer").post("/v1/products", json=product))
        self.product = await self.change("store_officer", drafted, "/v1/products", "publication")
        await self.agree_policy(STANDARD_SHARES)

    async def change(
        self, role: str, before: Json, path: str, step: str, body: Json | None = None
    ) -> Json:
        """Take a step of an aggregate at the version of `before`; return its body after it."""
        address = f"{path}/{before['id']}/{step}"
        answer = self.as_(role).post(address, json=body or {}, headers=if_match(before))
        return await ok(answer)

    async def set_price(self, price: int) -> None:
        """Set the price of the product."""
        body = {"sku": self.sku, "price_idr": price}
        self.product = await self.change(
            "store_officer", self.product, "/v1/products", "prices", body
        )

    async def agree_policy(
        self, shares: dict[str, int], *, first: date | None = None, base: str = "net_of_cost"
    ) -> Json:
        """Draft and propose a policy as treasurer; approve and activate it as head."""
        body = self.policy_body(shares, first=first, base=base)
        policy = await created(self.as_("treasurer").post("/v1/split-policies", json=body))
        policy = await self.change("treasurer", policy, "/v1/split-policies", "proposal")
        policy = await self.change("head", policy, "/v1/split-policies", "approval")
        return await self.change("head", policy, "/v1/split-policies", "activation")

    def policy_body(
        self, shares: dict[str, int], *, first: date | None = None, base: str = "net_of_cost"
    ) -> Json:
        """Return the body of a policy of the whole Lapas."""
        return {
            "facility_id": self.facility,
            "base": base,
            "shares": [{"party": party, "bps": bps} for party, bps in shares.items()],
            "effective_from": str(first or date(2026, 1, 1)),
            "legal_basis": "contoh",
            "document_hash": "0" * 64,
        }

    async def end_policy_yesterday(self) -> None:
        """Retire the active policy; yesterday is its last day."""
        page = await ok(self.as_("head").get("/v1/split-policies?state=active"))
        [policy] = page["items"]
        body = {"last_day": str(jakarta_today() - timedelta(days=1))}
        await self.change("head", policy, "/v1/split-policies", "retirement", body)

    # Work

    async def employ(self, *units: int) -> list[str]:
        """Assign eligible participants to the workshop, one for each number."""
        today = datetime.now(UTC).date()
        self.people = [f"ref-{new_id()}" for _ in units]
        for person in self.people:
            await self.decide(person, today - timedelta(days=9), eligible=True)
            await created(
                self.assign(person, from_on=today - timedelta(days=1), consented_on=today)
            )
        return self.people

    async def decide(self, person: str, decided_on: date, *, eligible: bool) -> None:
        """Record a decision of the TPP on work."""
        decision = partial(
            workers.record_decision, person, self.facility, decided_on, None, eligible=eligible
        )
        await self.as_service(decision)

    async def assign(
        self, person: str, *, from_on: date | None = None, consented_on: date | None = None
    ) -> httpx2.Response:
        """Ask for an assignment of a participant to the workshop."""
        body = {
            "participant_ref": person,
            "workshop_id": self.workshop["id"],
            "role": "tukang",
            "consented_on": str(consented_on or jakarta_today()),
            "from_on": str(from_on or jakarta_today()),
        }
        return await self.as_("workshop_officer").post("/v1/work-assignments", json=body)

    async def assignments(self) -> list[Json]:
        """Return the assignments to the workshop."""
        path = f"/v1/work-assignments?workshop_id={self.workshop['id']}"
        return (await ok(self.as_("workshop_officer").get(path)))["items"]

    async def start_batch(self, qty: int, cost: int) -> Json:
        """Plan a batch and start its production."""
        body = {
            "workshop_id": self.workshop["id"],
            "sku": self.sku,
            "qty_planned": qty,
            "material_cost_idr": cost,
        }
        planned = await created(self.as_("workshop_officer").post("/v1/batches", json=body))
        return await self.change("workshop_officer", planned, "/v1/batches", "start")

    async def log_work(self, batch: Json, person: str, units: int) -> httpx2.Response:
        """Ask for a work log of today."""
        body = {
            "batch_id": batch["id"],
            "participant_ref": person,
            "work_units": units,
            "worked_on": str(jakarta_today()),
        }
        return await self.as_("workshop_officer").post("/v1/work-logs", json=body)

    async def produce(self, qty: int, cost: int, *units: int) -> Json:
        """Complete a batch; `units` are the work units of each participant employed."""
        if not self.people:
            await self.employ(*units)
        batch = await self.start_batch(qty, cost)
        for person, count in zip(self.people, units, strict=True):
            if count:
                await created(self.log_work(batch, person, count))
        officer = "workshop_officer"
        checked = await self.change(officer, batch, "/v1/batches", "quality-check")
        return await self.change(officer, checked, "/v1/batches", "completion", {"qty_good": qty})

    # Orders and payments

    async def cart(self, *quantities: int) -> str:
        """Open a cart with lines of the product; return its id."""
        lines = [{"sku": self.sku, "qty": qty} for qty in quantities]
        return (await created(self.public.post("/v1/carts", json={"lines": lines})))["id"]

    async def check_out(self, cart_id: str, contact: Json | None = None) -> httpx2.Response:
        """Check out as a guest, by default one who has bought nothing before."""
        body = {"cart_id": cart_id, "contact": contact or new_contact()}
        return await self.public.post("/v1/checkout", json=body, headers=long_deadline())

    async def place(self, *quantities: int) -> Json:
        """Place an order; its payment page is not opened yet."""
        return await created(self.check_out(await self.cart(*quantities)))

    async def start_attempt(self, order: Json, method: str = "qris") -> httpx2.Response:
        """Ask for an attempt to pay an order at the version of its body."""
        path = f"/v1/orders/{order['id']}/payment-attempts"
        headers = if_match(order) | long_deadline() | {"order-token": order["token"]}
        return await self.public.post(path, json={"method": method}, headers=headers)

    async def order(self, *quantities: int) -> Json:
        """Place an order; its charge is open."""
        placed = await self.place(*quantities)
        return placed | await ok(self.start_attempt(placed))

    async def command(self, order: Json, command: str, attempt: int = 1) -> Json:
        """Execute a command of the payment simulator on the charge of an attempt."""
        path = f"/v1/payments/sandbox/{order['id']}-{attempt}/{command}"
        return await ok(self.public.post(path, headers=long_deadline()))

    async def paid_order(self, *quantities: int) -> Json:
        """Place an order and pay it."""
        order = await self.order(*quantities)
        assert (await self.command(order, "pay"))["answers"] == [200]
        return order

    async def read(self, order: Json) -> Json:
        """Return an order as its buyer reads it."""
        return await ok(self.public.get(f"/v1/orders/{order['id']}?token={order['token']}"))

    async def state(self, order: Json) -> str:
        """Return the state of an order."""
        return (await self.read(order))["state"]

    async def split(self, order: Json) -> httpx2.Response:
        """Ask how the proceeds of an order were divided."""
        return await self.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}")

    async def advance(self, order: Json, *steps: str) -> Json:
        """Take steps of an order as its officer; return its record."""
        record = await self.record(order)
        for step in steps:
            record = await self.change(
                "store_officer", record, "/v1/orders", "transitions", {"step": step}
            )
        return record

    async def record(self, order: Json) -> Json:
        """Return an order as its officers read it."""
        return await ok(self.as_("store_officer").get(f"/v1/orders/{order['id']}/record"))

    async def cancel(self, order: Json) -> httpx2.Response:
        """Ask for the cancellation of an order at its current version."""
        current = await self.read(order)
        path = f"/v1/orders/{order['id']}/cancellation?token={order['token']}"
        return await self.public.post(path, headers=if_match(current))

    async def notify(self, order: Json, **changed: str) -> httpx2.Response:
        """Send a notification of a settlement, with some fields changed.

        The signature is valid for what it covers, unless `signature_key` is given.
        """
        [charge] = await self.stored("sandbox_charges", _id=f"{order['id']}-1")
        [stored] = await self.stored("orders", _id=order["id"])
        body = {
            "transaction_time": f"{charge['opened_at'] + timedelta(hours=7):%Y-%m-%d %H:%M:%S}",
            "transaction_id": stored["charge"]["txn_id"],
            "transaction_status": "settlement",
            "status_code": "200",
            "order_id": charge["_id"],
            "merchant_id": "G-SANDBOX",
            "gross_amount": f"{charge['amount_idr']}.00",
            "fraud_status": "accept",
            "currency": "IDR",
        } | changed
        signature = midtrans.compute_signature(
            body["order_id"], body["status_code"], body["gross_amount"], KEY
        )
        body.setdefault("signature_key", signature)
        return await self.public.post(
            "/v1/payments/notifications/sandbox",
            content=json.dumps(body).encode(),
            headers=long_deadline(),
        )

    # Stock, books, tasks

    async def stock(self) -> tuple[int, int, int]:
        """Return on_hand, reserved, allocated."""
        [stock] = await self.stored("stock", _id=self.stock_id)
        return stock["on_hand"], stock["reserved"], stock["allocated"]

    async def balances(self) -> dict[str, int]:
        """Return debit less credit by kind of account; the books must balance."""
        trial = await ok(self.as_("treasurer").get("/v1/ledger/trial-balance"))
        assert trial["balanced"]
        accounts = [account for book in trial["books"] for account in book["accounts"]]
        return {account["account"]: account["debit"] - account["credit"] for account in accounts}

    async def journals(self, order: Json) -> list[Json]:
        """Return the journals of an order."""
        path = f"/v1/ledger/journals?source={order['id']}"
        return (await ok(self.as_("auditor").get(path)))["items"]

    async def tasks(self) -> list[Json]:
        """Return the open tasks."""
        return (await ok(self.as_("treasurer").get("/v1/marketplace-tasks?state=OPEN")))["items"]


def if_match(body: Json) -> dict[str, str]:
    """Return the header that names the version of a body."""
    return {"if-match": f'"{body["version"]}"'}


async def created(request: Awaitable[httpx2.Response]) -> Json:
    """Return the body of a 201."""
    answer = await request
    assert answer.status_code == 201, answer.text
    return answer.json()


async def ok(request: Awaitable[httpx2.Response]) -> Json:
    """Return the body of a 200."""
    answer = await request
    assert answer.status_code == 200, answer.text
    return answer.json()


def long_deadline() -> dict[str, str]:
    """Return the deadline of a caller who waits a minute, for a slow machine."""
    return {"x-request-deadline": str(round((time.time() + 60) * 1000))}


def jakarta_today() -> date:
    """Return today in the zone of the test Lapas."""
    return (datetime.now(UTC) + timedelta(hours=7)).date()


async def together(*awaitables: Awaitable[R]) -> list[R]:
    """Await all at once."""
    return list(await asyncio.gather(*awaitables))
