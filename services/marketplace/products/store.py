"""How products are kept."""

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
        """The product of each SKU, for anybody: buyers have no facility. SkuUnknown names the first that does not exist."""
        wanted = sorted(set(skus))
        found = {
            variant.sku: product
            for product in await self.find({"variants.sku": {"$in": wanted}}, scoped=False)
            for variant in product.variants
        }
        for sku in wanted:
            if sku not in found:
                raise SkuUnknown(sku=sku)
        return {sku: found[sku] for sku in wanted}

    async def list_published(
        self, product_class: str | None, workshop_id: str | None, cursor: str | None, limit: int
    ) -> Page[Product]:
        """What the public sees in the shop."""
        chosen = {
            name: value
            for name, value in (("product_class", product_class), ("workshop_id", workshop_id))
            if value
        }
        return await self.page(
            {"state": ProductState.PUBLISHED, **chosen}, cursor=cursor, limit=limit, scoped=False
        )
