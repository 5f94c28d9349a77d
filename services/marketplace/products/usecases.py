"""What happens: products are drafted, published, priced and withdrawn."""

from __future__ import annotations

from services.marketplace.money import Rupiah
from services.marketplace.products import rules
from services.marketplace.products.rules import (
    MAX_PUBLIC_BATCHES,
    Price,
    Product,
    ProductId,
    Provenance,
    Variant,
)
from services.marketplace.transaction import Transaction
from services.marketplace.workshops.rules import WorkshopId


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


async def publish(product_id: ProductId, if_match: int | None, tx: Transaction) -> Product:
    """Show a product to the public."""
    before = await tx.products.get(product_id, if_match=if_match)
    return tx.products.save(before, rules.publish(before))


async def withdraw(
    product_id: ProductId, reason: str, if_match: int | None, tx: Transaction
) -> Product:
    """Take a product from the shop."""
    before = await tx.products.get(product_id, if_match=if_match)
    return tx.products.save(before, rules.withdraw(before, reason))


async def set_price(
    product_id: ProductId, sku: str, amount_idr: Rupiah, if_match: int | None, tx: Transaction
) -> Product:
    """Set the price of a variant from now on."""
    before = await tx.products.get(product_id, if_match=if_match)
    return tx.products.save(
        before, rules.set_price(before, sku, amount_idr, tx.caller.subject, tx.now)
    )


async def read_published(product_id: ProductId, tx: Transaction) -> Product:
    """A product as anybody may see it: published ones only, whatever Lapas."""
    product = await tx.products.get(product_id, scoped=False)
    rules.require_published(product)
    return product


async def count_available(products: list[Product], tx: Transaction) -> dict[str, int]:
    """Available units by SKU, at all places together."""
    units: dict[str, int] = {}
    for stock in await tx.stocks.list_by_sku(
        variant.sku for product in products for variant in product.variants
    ):
        units[stock.sku] = units.get(stock.sku, 0) + stock.available
    return units


async def read_provenance(product_id: ProductId, tx: Transaction) -> Provenance:
    """Where a published product comes from, as far as the public may know."""
    product = await read_published(product_id, tx)
    workshop = await tx.workshops.get(product.workshop_id, scoped=False)
    batches = await tx.batches.list_latest_completed(
        [variant.sku for variant in product.variants], MAX_PUBLIC_BATCHES
    )
    return rules.derive_provenance(workshop, batches)
