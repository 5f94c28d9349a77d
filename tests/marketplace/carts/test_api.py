"""Carts over HTTP."""

from __future__ import annotations

from tests.marketplace.harness import LapasHarness, created, if_match, ok, together


async def test_a_changed_price_is_shown_and_not_applied_silently(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    cart_id = await lapas.cart(1)
    await lapas.set_price(120_000)
    answer = await lapas.check_out(cart_id)
    assert (answer.status_code, answer.json()["code"], answer.json()["price_idr"]) == (
        409,
        "price_changed",
        120_000,
    )


async def test_a_cart_that_is_filled_again_has_the_current_prices(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    cart_id = await lapas.cart(1)
    await lapas.set_price(120_000)
    path = f"/v1/carts/{cart_id}"
    cart = await ok(lapas.public.get(path))
    lines = {"lines": [{"sku": lapas.sku, "qty": 1}]}
    filled = await ok(lapas.public.request("PUT", path, json=lines, headers=if_match(cart)))
    assert filled["total_idr"] == 120_000
    assert (await created(lapas.check_out(cart_id)))["total_idr"] == 120_000


async def test_a_cart_is_ordered_once(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    cart_id = await lapas.cart(1)
    answers = await together(*(lapas.check_out(cart_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404]
    assert await lapas.stock() == (3, 1, 0)


async def test_a_cart_of_two_lapas_is_refused(lapas: LapasHarness) -> None:
    other = LapasHarness(lapas.client)
    await other.open_workshop()
    lines = [{"sku": lapas.sku, "qty": 1}, {"sku": other.sku, "qty": 1}]
    answer = await lapas.public.post("/v1/carts", json={"lines": lines})
    assert (answer.status_code, answer.json()["code"]) == (422, "cart_of_several_sellers")
