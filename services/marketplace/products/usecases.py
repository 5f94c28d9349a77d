"""Use cases of products: draft, publish, price, withdraw, and what the shop shows.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chassis.persistence.store import Page
from services.marketplace.money import Rupiah
from services.marketplace.products import rules
from services.marketplace.products.rules import (
    MAX_PUBLIC_BATCHES,
    CompletedBatch,
    Price,
    Product,
    ProductId,
    Provenance,
    Variant,
)
from services.marketplace.transaction import Transaction
from services.marketplace.workshops.rules import WorkshopId


class ShopProduct(NamedTuple):
    """A product with its available units by SKU."""

    product: Product
    available: Mapping[str, int]


class ShopPage(NamedTuple):
    """One page of products with their available units by SKU."""

    products: list[Product]
    available: Mapping[str, int]
    next_cursor: str | None


async def draft(
    product_id: ProductId,
    workshop_id: WorkshopId,
    product_class: str,
    title: str,
    description: str,
    unit: str,
    variants: list[tuple[str, str, int, Rupiah]],
    tx: Transaction,
) -> Product:
    """Draft a product of a workshop; variants are (sku, name, weight in gram, price)."""
    workshop = await tx.workshops.get(workshop_id)
    product = Product(
        id=product_id,
        facility_id=workshop.facility_id,
        zone=workshop.zone,
        workshop_id=workshop.id,
        product_class=product_class,
        title=title,
        description=description,
        unit=unit,
        variants=tuple(
            Variant(
                sku=sku,
                name=name,
                weight_g=weight_g,
                prices=(Price(amount_idr=price, since=tx.now, set_by=tx.caller.subject),),
            )
            for sku, name, weight_g, price in variants
        ),
    )
    tx.workshops.hold(workshop)
    return tx.products.add(rules.draft(product, workshop))


async def publish(product_id: ProductId, version: int, tx: Transaction) -> Product:
    """Publish a product in the shop."""
    before = await tx.products.get(product_id, if_match=version)
    return tx.products.save(before, rules.publish(before))


async def withdraw(product_id: ProductId, reason: str, version: int, tx: Transaction) -> Product:
    """Withdraw a product from the shop."""
    before = await tx.products.get(product_id, if_match=version)
    return tx.products.save(before, rules.withdraw(before, reason))


async def set_price(
    product_id: ProductId, sku: str, amount_idr: Rupiah, version: int, tx: Transaction
) -> Product:
    """Set the price of a variant from now on."""
    before = await tx.products.get(product_id, if_match=version)
    after = rules.set_price(before, sku, amount_idr, tx.caller.subject, tx.now)
    return tx.products.save(before, after)


async def read_product(product_id: ProductId, tx: Transaction) -> Product:
    """Return a product of the caller's Lapas, published or not."""
    return await tx.products.get(product_id)


async def read_published(product_id: ProductId, tx: Transaction) -> Product:
    """Return a published product of any Lapas."""
    product = await tx.products.get(product_id, scoped=False)
    rules.require_published(product)
    return product


async def list_published(
    product_class: str | None,
    workshop_id: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Product]:
    """Return one page of the shop, of one product class or workshop or all."""
    return await tx.products.list_published(product_class, workshop_id, cursor, limit)


async def view_shop_product(product: Product, tx: Transaction) -> ShopProduct:
    """Return what the shop shows of a product."""
    return ShopProduct(product, await count_available([product], tx))


async def view_shop_page(page: Page[Product], tx: Transaction) -> ShopPage:
    """Return what the shop shows of a page of products."""
    return ShopPage(page.items, await count_available(page.items, tx), page.next_cursor)


async def count_available(products: Iterable[Product], tx: Transaction) -> dict[str, int]:
    """Return the available units by SKU, summed over all locations."""
    skus = [variant.sku for product in products for variant in product.variants]
    units: dict[str, int] = {}
    for stock in await tx.stocks.list_by_sku(skus):
        units[stock.sku] = units.get(stock.sku, 0) + stock.available
    return units


async def read_provenance(product_id: ProductId, tx: Transaction) -> Provenance:
    """Return the public provenance of a published product."""
    product = await read_published(product_id, tx)
    workshop = await tx.workshops.get(product.workshop_id, scoped=False)
    skus = [variant.sku for variant in product.variants]
    batches = await tx.batches.list_latest_completed(skus, MAX_PUBLIC_BATCHES)
    completed = [
        CompletedBatch(number=batch.number, completed_at=batch.completed_at)
        for batch in batches
        if batch.completed_at is not None
    ]
    return rules.derive_provenance(workshop, completed)
