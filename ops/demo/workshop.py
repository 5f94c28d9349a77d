"""Steps in the workshop and the shop: production, sale, split to the rupiah, books.

Not here: other steps of the demo.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from ops.demo.context import (
    FACILITY,
    GOODS_COUNT,
    MATERIAL_COST_IDR,
    PRICE_IDR,
    ZONE,
    DemoContext,
    Facts,
    act_on_line,
)
from ops.local.gateway_client import GatewayCaller, UnexpectedAnswer, eventually

CREATED = 201
BAD_REQUEST = 400
CONFLICT = 409
WORKSHOP_CODE = "LAS-01"


async def produce(context: DemoContext) -> Facts:
    """Set up the workshop, produce the goods of the demo and publish the product."""
    workshop = await _require_workshop(context)
    await _require_policy(context)
    await _assign_worker(context, workshop)
    product = await _draft_product(context, workshop)
    batch = await _complete_batch(context, workshop)
    store = context.caller("store_officer")
    await _change(store, product, f"/v1/products/{product['id']}/publication")
    provenance = await context.anonymous_buyer.get(f"/v1/products/{product['id']}/provenance")
    return {
        "batch": batch["number"],
        "good": batch["qty_good"],
        "unit_cost_idr": MATERIAL_COST_IDR // GOODS_COUNT,
        "provenance": provenance,
    }


async def sell(context: DemoContext) -> Facts:
    """Sell one piece, and send a payment notification with a wrong signature."""
    order = await _place_order(context, 1)
    paid = await _pay_order(context, order)
    buyer = context.anonymous_buyer
    order_ref = order["payment"]["order_ref"]
    forged = await buyer.request("POST", f"/v1/payments/sandbox/{order_ref}/wrong_signature")
    divided = await buyer.get(f"/v1/orders/{order['id']}/split?token={order['token']}")
    context.split = divided["split"]
    context.record_refusal(
        "pemberitahuan bayar dengan tanda tangan salah",
        "a payment notification with a wrong signature",
        forged.body["answers"],
        problems=forged.body["problems"],
    )
    is_split_whole = sum(context.split.values()) == order["total_idr"]
    is_forgery_refused = forged.body["answers"] == [BAD_REQUEST]
    if not is_split_whole or not is_forgery_refused:
        raise UnexpectedAnswer("the split of the proceeds", 0, {"title": str(divided)})
    return {
        "order_id": order["id"],
        "state": paid["state"],
        "total_idr": order["total_idr"],
        "split": context.split,
    }


async def sell_out(context: DemoContext) -> Facts:
    """Sell the other pieces; the buyer after the last one is refused."""
    numbers = range(2, GOODS_COUNT + 1)
    orders = await asyncio.gather(*(_place_order(context, number) for number in numbers))
    await asyncio.gather(*(_pay_order(context, order) for order in orders))
    buyer = context.anonymous_buyer
    lines = {"lines": [{"sku": context.ids["sku"], "qty": 1}]}
    answer = await buyer.request("POST", "/v1/carts", lines)
    if answer.status < BAD_REQUEST:
        checkout = {"cart_id": answer.body["id"], "contact": _buyer_contact(8)}
        answer = await buyer.request("POST", "/v1/checkout", checkout)
    if answer.status != CONFLICT:
        raise UnexpectedAnswer("the eighth buyer of seven goods", answer.status, answer.body)
    context.record_refusal(
        "pembeli kedelapan atas tujuh barang",
        "the eighth buyer of seven pieces",
        answer.status,
        code=answer.body["code"],
        title=answer.body["title"],
    )
    return {"sold": GOODS_COUNT, "eighth": answer.body["title"]}


async def check_books(context: DemoContext) -> Facts:
    """Check that the books balance and are not empty."""
    trial_balance = await context.caller("treasurer").get("/v1/ledger/trial-balance")
    books = trial_balance["books"]
    debit = sum(book["debit"] for book in books)
    credit = sum(book["credit"] for book in books)
    context.books = {"debit": debit, "credit": credit}
    if not trial_balance["balanced"] or debit != credit or debit == 0:
        raise UnexpectedAnswer("the books do not balance", 0, context.books)
    sums = {book["book"]: {"debit": book["debit"], "credit": book["credit"]} for book in books}
    return {"books": sums}


async def _change(
    caller: GatewayCaller, before: Facts, path: str, body: Facts | None = None
) -> Facts:
    """Change an aggregate at the version of `before`; return its new body."""
    return await caller.post(path, body, if_match=f'"{before["version"]}"')


async def _require_workshop(context: DemoContext) -> Facts:
    officer = context.caller("workshop_officer")
    for workshop in await officer.list_all("/v1/workshops"):
        if workshop["code"] == WORKSHOP_CODE:
            return workshop
    programme = {"programme_id": context.ids["programme"], "title": "Pelatihan dasar las SMAW"}
    body = {
        "facility_id": FACILITY,
        "code": WORKSHOP_CODE,
        "name": "Bengkel Las Mandiri",
        "product_classes": ["perabot_besi"],
        "unit_kind": "hour",
        "programmes": [programme],
    }
    return await officer.post("/v1/workshops", body)


async def _require_policy(context: DemoContext) -> None:
    treasurer = context.caller("treasurer")
    policies = await treasurer.list_all("/v1/split-policies")
    if any(policy["state"] == "active" for policy in policies):
        return
    body = {
        "facility_id": FACILITY,
        "base": "net_of_cost",
        "shares": [
            {"party": "premi", "bps": 5000},
            {"party": "pnbp", "bps": 1500},
            {"party": "modal", "bps": 3500},
        ],
        "effective_from": context.today.isoformat(),
        "legal_basis": "Menunggu kepastian hukum; lihat SK Kalapas",
        "document_hash": hashlib.sha256(b"SK").hexdigest(),
        "needs_legal_confirmation": True,
    }
    policy = await treasurer.post("/v1/split-policies", body)
    path = f"/v1/split-policies/{policy['id']}"
    head = context.caller("head")
    policy = await _change(treasurer, policy, f"{path}/proposal")
    policy = await _change(head, policy, f"{path}/approval")
    await _change(head, policy, f"{path}/activation")


async def _assign_worker(context: DemoContext, workshop: Facts) -> None:
    """Assign the participant, retrying until the TPP's decision has arrived as an event."""
    officer = context.caller("workshop_officer")
    today = context.today.isoformat()
    body = {
        "participant_ref": context.ids["person"],
        "workshop_id": workshop["id"],
        "role": "juru las",
        "consented_on": today,
        "from_on": today,
    }

    async def assign() -> Any:
        answer = await officer.request("POST", "/v1/work-assignments", body)
        return answer.body if answer.status == CREATED else None

    await eventually("work assignment allowed by the TPP's decision", assign)


async def _draft_product(context: DemoContext, workshop: Facts) -> Facts:
    sku = f"RAK-{datetime.now(ZONE):%y%m%d%H%M%S}"
    body = {
        "workshop_id": workshop["id"],
        "product_class": "perabot_besi",
        "title": "Rak bunga besi",
        "description": "Rak tiga susun, cat hitam.",
        "unit": "buah",
        "variants": [{"sku": sku, "price_idr": PRICE_IDR, "weight_g": 4000}],
    }
    product = await context.caller("store_officer").post("/v1/products", body)
    context.ids |= {"sku": sku, "product": product["id"]}
    return product


async def _complete_batch(context: DemoContext, workshop: Facts) -> Facts:
    officer = context.caller("workshop_officer")
    plan = {
        "workshop_id": workshop["id"],
        "sku": context.ids["sku"],
        "qty_planned": GOODS_COUNT,
        "material_cost_idr": MATERIAL_COST_IDR,
    }
    batch = await officer.post("/v1/batches", plan)
    path = f"/v1/batches/{batch['id']}"
    batch = await _change(officer, batch, f"{path}/start")
    work = {
        "batch_id": batch["id"],
        "participant_ref": context.ids["person"],
        "work_units": 37,
    }
    day = f"/v1/workshops/{workshop['id']}/work-days/{context.today.isoformat()}"
    await act_on_line(officer, day, {"lines": [work]}, "PUT")
    batch = await _change(officer, batch, f"{path}/quality-check")
    return await _change(officer, batch, f"{path}/completion", {"qty_good": GOODS_COUNT})


def _buyer_contact(number: int) -> Facts:
    return {"name": f"Pembeli {number}", "phone": f"0811000000{number}", "address": "Tanjungpandan"}


async def _place_order(context: DemoContext, number: int) -> Facts:
    """Place an order as one buyer and open its payment page; return it with its token."""
    buyer = context.anonymous_buyer
    lines = {"lines": [{"sku": context.ids["sku"], "qty": 1}]}
    cart = await buyer.post("/v1/carts", lines)
    checkout = {"cart_id": cart["id"], "contact": _buyer_contact(number)}
    placed = await buyer.post("/v1/checkout", checkout)
    path = f"/v1/orders/{placed['id']}/payment-attempts?token={placed['token']}"
    return placed | await _change(buyer, placed, path, {"method": "qris"})


async def _pay_order(context: DemoContext, order: Facts) -> Facts:
    buyer = context.anonymous_buyer
    await buyer.post(f"/v1/payments/sandbox/{order['payment']['order_ref']}/pay")

    async def read_paid() -> Facts | None:
        read = await buyer.get(f"/v1/orders/{order['id']}?token={order['token']}")
        return read if read["state"] == "paid" else None

    return await eventually("order paid", read_paid)
