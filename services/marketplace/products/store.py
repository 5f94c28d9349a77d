"""The stored products.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Iterable

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.products.rules import Product, ProductState, ProductUnknown, SkuUnknown


class Products(Store[Product]):
    kind = Product
    collection = "products"
    unknown = ProductUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("variants.sku", unique=True),
        Index("state", "product_class"),
        Index("state", "workshop_id"),
        Index("facility_id"),
    )

    async def get_by_sku(self, skus: Iterable[str]) -> dict[str, Product]:
        """Return the product of each SKU. Raises SkuUnknown for the first that does not exist.

        Unscoped: buyers have no facility.
        """
        wanted = sorted(set(skus))
        products_by_sku: dict[str, Product] = {}
        for product in await self.find({"variants.sku": {"$in": wanted}}, scoped=False):
            for variant in product.variants:
                products_by_sku[variant.sku] = product
        for sku in wanted:
            if sku not in products_by_sku:
                raise SkuUnknown(sku=sku)
        return {sku: products_by_sku[sku] for sku in wanted}

    async def list_published(
        self, product_class: str | None, workshop_id: str | None, cursor: str | None, limit: int
    ) -> Page[Product]:
        """Return one page of the products that the public sees in the shop."""
        where: dict[str, str] = {"state": ProductState.PUBLISHED}
        if product_class:
            where["product_class"] = product_class
        if workshop_id:
            where["workshop_id"] = workshop_id
        return await self.page(where, cursor=cursor, limit=limit, scoped=False)
