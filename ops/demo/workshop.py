"""In the workshop and the shop: production, sale, division to the rupiah, books."""

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
)
from ops.local.gateway_client import UnexpectedAnswer, eventually

CREATED, BAD_REQUEST, CONFLICT = 201, 400, 409


async def produce(context: DemoContext) -> Facts:
    officer, treasurer, head = (
        context.caller("workshop_officer"),
        context.caller("treasurer"),
        context.caller("head"),
    )
    workshops = {one["code"]: one for one in await officer.list_all("/v1/workshops")}
    workshop = workshops.get("LAS-01") or await officer.post(
        "/v1/workshops",
        {
            "facility_id": FACILITY,
            "code": "LAS-01",
            "name": "Bengkel Las Mandiri",
            "product_classes": ["perabot_besi"],
            "unit_kind": "hour",
            "programmes": [
                {"programme_id": context.ids["programme"], "title": "Pelatihan las SMAW"}
            ],
        },
    )
    if not any(one["state"] == "active" for one in await treasurer.list_all("/v1/split-policies")):
        shares = [
            {"party": "premi", "bps": 5000},
            {"party": "pnbp", "bps": 1500},
            {"party": "modal", "bps": 3500},
        ]
        body = {
            "facility_id": FACILITY,
            "base": "net_of_cost",
            "shares": shares,
            "effective_from": context.today.isoformat(),
            "legal_basis": "Menunggu kepastian hukum; lihat SK Kalapas",
            "document_hash": hashlib.sha256(b"SK").hexdigest(),
            "needs_legal_confirmation": True,
        }
        policy = await treasurer.post("/v1/split-policies", body)
        await treasurer.post(f"/v1/split-policies/{policy['id']}/proposal")
        await head.post(f"/v1/split-policies/{policy['id']}/approval")
        await head.post(f"/v1/split-policies/{policy['id']}/activation")
    today = context.today.isoformat()

    async def assigned() -> Any:
        answer = await officer.request(
            "POST",
            "/v1/work-assignments",
            {
                "participant_ref": context.ids["person"],
                "workshop_id": workshop["id"],
                "role": "juru las",
                "consented_on": today,
                "from_on": today,
            },
        )
        return (
            answer.body if answer.status == CREATED else None
        )  # refused until the TPP's decision has come over

    await eventually("work assignment allowed by the TPP's decision", assigned)
    sku = f"RAK-{datetime.now(ZONE):%y%m%d%H%M%S}"
    store = context.caller("store_officer")
    product = await store.post(
        "/v1/products",
        {
            "workshop_id": workshop["id"],
            "product_class": "perabot_besi",
            "title": "Rak bunga besi",
            "description": "Rak tiga susun, cat hitam.",
            "unit": "buah",
            "variants": [{"sku": sku, "price_idr": PRICE_IDR, "weight_g": 4000}],
        },
    )
    batch = await officer.post(
        "/v1/batches",
        {
            "workshop_id": workshop["id"],
            "sku": sku,
            "qty_planned": GOODS_COUNT,
            "material_cost_idr": MATERIAL_COST_IDR,
        },
    )
    await officer.post(f"/v1/batches/{batch['id']}/start")
    await officer.post(
        "/v1/work-logs",
        {
            "batch_id": batch["id"],
            "participant_ref": context.ids["person"],
            "work_units": 37,
            "worked_on": today,
        },
    )
    await officer.post(f"/v1/batches/{batch['id']}/quality-check")
    done = await officer.post(f"/v1/batches/{batch['id']}/completion", {"qty_good": GOODS_COUNT})
    await store.post(f"/v1/products/{product['id']}/publication")
    provenance = await context.anonymous_buyer.get(f"/v1/products/{product['id']}/provenance")
    context.ids |= {"sku": sku, "product": product["id"]}
    return {
        "batch": done["number"],
        "good": done["qty_good"],
        "unit_cost_idr": MATERIAL_COST_IDR // GOODS_COUNT,
        "provenance": provenance,
    }


async def sell(context: DemoContext) -> Facts:
    order = await _place_order(context)
    paid = await _pay_order(context, order)
    told = await context.anonymous_buyer.request(
        "POST", f"/v1/payments/sandbox/{order['payment']['order_ref']}/wrong_signature"
    )
    divided = await context.anonymous_buyer.get(
        f"/v1/orders/{order['id']}/split?token={order['token']}"
    )
    context.split = divided["split"]
    context.refusals.append(
        {
            "what": "pemberitahuan bayar dengan tanda tangan salah",
            "answer": told.body["answers"],
            "problems": told.body["problems"],
        }
    )
    if sum(context.split.values()) != order["total_idr"] or told.body["answers"] != [BAD_REQUEST]:
        raise UnexpectedAnswer("the split of the proceeds", 0, {"title": str(divided)})
    return {
        "order_id": order["id"],
        "state": paid["state"],
        "total_idr": order["total_idr"],
        "split": context.split,
    }


async def sell_out(context: DemoContext) -> Facts:
    orders = await asyncio.gather(*(_place_order(context) for _ in range(GOODS_COUNT - 1)))
    await asyncio.gather(*(_pay_order(context, order) for order in orders))
    cart = await context.anonymous_buyer.request(
        "POST", "/v1/carts", {"lines": [{"sku": context.ids["sku"], "qty": 1}]}
    )
    answer = (
        cart
        if cart.status >= BAD_REQUEST
        else await context.anonymous_buyer.request(
            "POST", "/v1/checkout", {"cart_id": cart.body["id"], "contact": _buyer_contact(8)}
        )
    )
    if answer.status != CONFLICT:
        raise UnexpectedAnswer("the eighth buyer of seven goods", answer.status, answer.body)
    context.refusals.append(
        {
            "what": "pembeli kedelapan atas tujuh barang",
            "answer": answer.status,
            "code": answer.body["code"],
            "title": answer.body["title"],
        }
    )
    return {"sold": GOODS_COUNT, "eighth": answer.body["title"]}


async def check_books(context: DemoContext) -> Facts:
    balance_ = await context.caller("treasurer").get("/v1/ledger/trial-balance")
    context.books = {
        "debit": sum(book["debit"] for book in balance_["books"]),
        "credit": sum(book["credit"] for book in balance_["books"]),
    }
    if (
        not balance_["balanced"]
        or context.books["debit"] != context.books["credit"]
        or not context.books["debit"]
    ):
        raise UnexpectedAnswer("the books do not balance", 0, context.books)
    return {
        "books": {
            book["book"]: {"debit": book["debit"], "credit": book["credit"]}
            for book in balance_["books"]
        }
    }


def _buyer_contact(number: int) -> Facts:
    return {"name": f"Pembeli {number}", "phone": f"0811000000{number}", "address": "Tanjungpandan"}


async def _place_order(context: DemoContext) -> Facts:
    cart = await context.anonymous_buyer.post(
        "/v1/carts", {"lines": [{"sku": context.ids["sku"], "qty": 1}]}
    )
    return await context.anonymous_buyer.post(
        "/v1/checkout", {"cart_id": cart["id"], "contact": _buyer_contact(1)}
    )


async def _pay_order(context: DemoContext, order: Facts) -> Facts:
    await context.anonymous_buyer.post(f"/v1/payments/sandbox/{order['payment']['order_ref']}/pay")

    async def paid() -> Facts | None:
        found = await context.anonymous_buyer.get(
            f"/v1/orders/{order['id']}?token={order['token']}"
        )
        return found if found["state"] == "paid" else None

    return await eventually("order paid", paid)
