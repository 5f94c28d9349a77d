"""In the workshop and the shop: production, sale, division to the rupiah, books."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from ops.demo.context import FACILITY, GOODS, MATERIAL, PRICE, ZONE, Facts, Story
from ops.local.gateway_client import Unexpected, eventually

CREATED, BAD_REQUEST, CONFLICT = 201, 400, 409


async def produce(story: Story) -> Facts:
    officer, treasurer, head = (
        story.role("workshop_officer"),
        story.role("treasurer"),
        story.role("head"),
    )
    workshops = {one["code"]: one for one in await officer.every("/v1/workshops")}
    workshop = workshops.get("LAS-01") or await officer.post(
        "/v1/workshops",
        {
            "facility_id": FACILITY,
            "code": "LAS-01",
            "name": "Bengkel Las Mandiri",
            "product_classes": ["perabot_besi"],
            "unit_kind": "hour",
            "programmes": [
                {"programme_id": story.known["programme"], "title": "Pelatihan las SMAW"}
            ],
        },
    )
    if not any(one["state"] == "active" for one in await treasurer.every("/v1/split-policies")):
        shares = [
            {"party": "premi", "bps": 5000},
            {"party": "pnbp", "bps": 1500},
            {"party": "modal", "bps": 3500},
        ]
        body = {
            "facility_id": FACILITY,
            "base": "net_of_cost",
            "shares": shares,
            "effective_from": story.today.isoformat(),
            "legal_basis": "Menunggu kepastian hukum; lihat SK Kalapas",
            "document_hash": hashlib.sha256(b"SK").hexdigest(),
            "needs_legal_confirmation": True,
        }
        policy = await treasurer.post("/v1/split-policies", body)
        await treasurer.post(f"/v1/split-policies/{policy['id']}/proposal")
        await head.post(f"/v1/split-policies/{policy['id']}/approval")
        await head.post(f"/v1/split-policies/{policy['id']}/activation")
    today = story.today.isoformat()

    async def assigned() -> Any:
        answer = await officer.ask(
            "POST",
            "/v1/work-assignments",
            {
                "participant_ref": story.known["person"],
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
    store = story.role("store_officer")
    product = await store.post(
        "/v1/products",
        {
            "workshop_id": workshop["id"],
            "product_class": "perabot_besi",
            "title": "Rak bunga besi",
            "description": "Rak tiga susun, cat hitam.",
            "unit": "buah",
            "variants": [{"sku": sku, "price_idr": PRICE, "weight_g": 4000}],
        },
    )
    batch = await officer.post(
        "/v1/batches",
        {
            "workshop_id": workshop["id"],
            "sku": sku,
            "qty_planned": GOODS,
            "material_cost_idr": MATERIAL,
        },
    )
    await officer.post(f"/v1/batches/{batch['id']}/start")
    await officer.post(
        "/v1/work-logs",
        {
            "batch_id": batch["id"],
            "participant_ref": story.known["person"],
            "work_units": 37,
            "worked_on": today,
        },
    )
    await officer.post(f"/v1/batches/{batch['id']}/quality-check")
    done = await officer.post(f"/v1/batches/{batch['id']}/completion", {"qty_good": GOODS})
    await store.post(f"/v1/products/{product['id']}/publication")
    provenance = await story.anybody.get(f"/v1/products/{product['id']}/provenance")
    story.known |= {"sku": sku, "product": product["id"]}
    return {
        "batch": done["number"],
        "good": done["qty_good"],
        "unit_cost_idr": MATERIAL // GOODS,
        "provenance": provenance,
    }


async def sell(story: Story) -> Facts:
    order = await _order(story)
    paid = await _paid(story, order)
    told = await story.anybody.ask(
        "POST", f"/v1/payments/sandbox/{order['payment']['order_ref']}/wrong_signature"
    )
    divided = await story.anybody.get(f"/v1/orders/{order['id']}/split?token={order['token']}")
    story.split = divided["split"]
    story.refused.append(
        {
            "what": "pemberitahuan bayar dengan tanda tangan salah",
            "answer": told.body["answers"],
            "problems": told.body["problems"],
        }
    )
    if sum(story.split.values()) != order["total_idr"] or told.body["answers"] != [BAD_REQUEST]:
        raise Unexpected("the split of the proceeds", 0, {"title": str(divided)})
    return {
        "order_id": order["id"],
        "state": paid["state"],
        "total_idr": order["total_idr"],
        "split": story.split,
    }


async def sell_out(story: Story) -> Facts:
    orders = await asyncio.gather(*(_order(story) for _ in range(GOODS - 1)))
    await asyncio.gather(*(_paid(story, order) for order in orders))
    cart = await story.anybody.ask(
        "POST", "/v1/carts", {"lines": [{"sku": story.known["sku"], "qty": 1}]}
    )
    answer = (
        cart
        if cart.status >= BAD_REQUEST
        else await story.anybody.ask(
            "POST", "/v1/checkout", {"cart_id": cart.body["id"], "contact": _contact(8)}
        )
    )
    if answer.status != CONFLICT:
        raise Unexpected("the eighth buyer of seven goods", answer.status, answer.body)
    story.refused.append(
        {
            "what": "pembeli kedelapan atas tujuh barang",
            "answer": answer.status,
            "code": answer.body["code"],
            "title": answer.body["title"],
        }
    )
    return {"sold": GOODS, "eighth": answer.body["title"]}


async def balance(story: Story) -> Facts:
    balance_ = await story.role("treasurer").get("/v1/ledger/trial-balance")
    story.books = {
        "debit": sum(book["debit"] for book in balance_["books"]),
        "credit": sum(book["credit"] for book in balance_["books"]),
    }
    if (
        not balance_["balanced"]
        or story.books["debit"] != story.books["credit"]
        or not story.books["debit"]
    ):
        raise Unexpected("the books do not balance", 0, story.books)
    return {
        "books": {
            book["book"]: {"debit": book["debit"], "credit": book["credit"]}
            for book in balance_["books"]
        }
    }


def _contact(number: int) -> Facts:
    return {"name": f"Pembeli {number}", "phone": f"0811000000{number}", "address": "Tanjungpandan"}


async def _order(story: Story) -> Facts:
    cart = await story.anybody.post("/v1/carts", {"lines": [{"sku": story.known["sku"], "qty": 1}]})
    return await story.anybody.post("/v1/checkout", {"cart_id": cart["id"], "contact": _contact(1)})


async def _paid(story: Story, order: Facts) -> Facts:
    await story.anybody.post(f"/v1/payments/sandbox/{order['payment']['order_ref']}/pay")

    async def paid() -> Facts | None:
        found = await story.anybody.get(f"/v1/orders/{order['id']}?token={order['token']}")
        return found if found["state"] == "paid" else None

    return await eventually("order paid", paid)
