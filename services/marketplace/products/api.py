"""Routes of products, for officers and for the public.

Not here: carts and orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.money import Idr, Rupiah
from services.marketplace.products import usecases
from services.marketplace.products.rules import Product, ProductId, Provenance, Variant
from services.marketplace.transaction import Run
from services.marketplace.workshops.rules import WorkshopId

router = APIRouter(prefix="/v1/products", tags=["Produk"])

Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{1,39}$")]
Price = Annotated[Idr, Field(ge=1)]


class VariantIn(BaseModel):
    model_config = dependencies.STRICT
    sku: Sku
    name: str = Field("", max_length=80)
    weight_g: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    price_idr: Price


class ProductIn(BaseModel):
    model_config = dependencies.STRICT
    workshop_id: str
    product_class: str = Field(min_length=1, max_length=40)
    title: str = Field(min_length=1, max_length=120)
    description: str = Field("", max_length=4_000)
    unit: str = Field("buah", min_length=1, max_length=20)
    variants: list[VariantIn] = Field(min_length=1, max_length=50)


class PriceIn(BaseModel):
    model_config = dependencies.STRICT
    sku: Sku
    price_idr: Price


class WithdrawalIn(BaseModel):
    model_config = dependencies.STRICT
    reason: str = Field(min_length=1, max_length=400)


class PriceBody(BaseModel):
    amount_idr: int
    since: datetime
    set_by: str


class VariantBody(BaseModel):
    sku: str
    name: str
    weight_g: int
    price_idr: int
    prices: list[PriceBody]

    @classmethod
    def of(cls, variant: Variant) -> Self:
        """Return the body of a variant."""
        prices = [
            PriceBody(amount_idr=price.amount_idr, since=price.since, set_by=price.set_by)
            for price in variant.prices
        ]
        return cls(
            sku=variant.sku,
            name=variant.name,
            weight_g=variant.weight_g,
            price_idr=variant.price_idr,
            prices=prices,
        )


class ProductBody(BaseModel):
    """A product as officers see it, with the history of its prices."""

    id: str
    version: int
    facility_id: str
    workshop_id: str
    product_class: str
    title: str
    description: str
    unit: str
    state: str
    state_reason: str
    variants: list[VariantBody]

    @classmethod
    def of(cls, product: Product) -> Self:
        """Return the body of a product."""
        return cls(
            id=product.id,
            version=product.version,
            facility_id=product.facility_id,
            workshop_id=product.workshop_id,
            product_class=product.product_class,
            title=product.title,
            description=product.description,
            unit=product.unit,
            state=product.state,
            state_reason=product.state_reason,
            variants=[VariantBody.of(variant) for variant in product.variants],
        )


class OfferBody(BaseModel):
    sku: str
    name: str
    weight_g: int
    price_idr: int
    available: int


class ShopProductBody(BaseModel):
    """A product as the public sees it, with what is available of each SKU."""

    id: str
    title: str
    description: str
    unit: str
    product_class: str
    workshop_id: str
    offers: list[OfferBody]

    @classmethod
    def of(cls, product: Product, available: Mapping[str, int]) -> Self:
        """Return the public body of a product; `available` is units by SKU."""
        offers = [
            OfferBody(
                sku=variant.sku,
                name=variant.name,
                weight_g=variant.weight_g,
                price_idr=variant.price_idr,
                available=available.get(variant.sku, 0),
            )
            for variant in product.variants
        ]
        return cls(
            id=product.id,
            title=product.title,
            description=product.description,
            unit=product.unit,
            product_class=product.product_class,
            workshop_id=product.workshop_id,
            offers=offers,
        )


class BatchOfOriginBody(BaseModel):
    number: str
    month: str


class ProvenanceBody(BaseModel):
    """The origin of a product: a workshop, what is taught there, and batches. Never a person."""

    workshop_name: str
    programmes: list[str]
    batches: list[BatchOfOriginBody]

    @classmethod
    def of(cls, provenance: Provenance) -> Self:
        """Return the body of a provenance."""
        batches = [
            BatchOfOriginBody(number=number, month=month) for number, month in provenance.batches
        ]
        return cls(
            workshop_name=provenance.workshop_name,
            programmes=list(provenance.programmes),
            batches=batches,
        )


@router.post("", status_code=201)
async def draft_product(body: ProductIn, run: Run, response: Response) -> ProductBody:
    """Draft a product of a workshop."""
    variants = [
        (variant.sku, variant.name, variant.weight_g, Rupiah(variant.price_idr))
        for variant in body.variants
    ]
    command = partial(
        usecases.draft,
        ProductId(new_id()),
        WorkshopId(body.workshop_id),
        body.product_class,
        body.title,
        body.description,
        body.unit,
        variants,
    )
    product = await run(command)
    dependencies.set_etag(response, product)
    return ProductBody.of(product)


@router.post("/{product_id}/publication")
async def publish_product(
    product_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> ProductBody:
    """Publish a product in the shop."""
    product = await run(partial(usecases.publish, ProductId(product_id), version))
    dependencies.set_etag(response, product)
    return ProductBody.of(product)


@router.post("/{product_id}/withdrawal")
async def withdraw_product(
    product_id: str,
    body: WithdrawalIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> ProductBody:
    """Withdraw a product from the shop."""
    product = await run(partial(usecases.withdraw, ProductId(product_id), body.reason, version))
    dependencies.set_etag(response, product)
    return ProductBody.of(product)


@router.post("/{product_id}/prices")
async def set_price(
    product_id: str,
    body: PriceIn,
    run: Run,
    version: dependencies.RequiredIfMatch,
    response: Response,
) -> ProductBody:
    """Set the price of a variant from now on."""
    command = partial(
        usecases.set_price, ProductId(product_id), body.sku, Rupiah(body.price_idr), version
    )
    product = await run(command)
    dependencies.set_etag(response, product)
    return ProductBody.of(product)


@router.get("")
async def list_products(
    run: Run,
    product_class: str | None = None,
    workshop_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ShopProductBody]:
    """Return the products of the shop, for anybody."""
    query = partial(usecases.list_published, product_class, workshop_id, cursor, limit)
    shop_page = await run(query, view=usecases.view_shop_page)
    return paging.PageBody(
        items=[ShopProductBody.of(product, shop_page.available) for product in shop_page.products],
        next_cursor=shop_page.next_cursor,
    )


@router.get("/{product_id}")
async def read_product(product_id: str, run: Run) -> ShopProductBody:
    """Return one product of the shop, for anybody."""
    query = partial(usecases.read_published, ProductId(product_id))
    shop_product = await run(query, view=usecases.view_shop_product)
    return ShopProductBody.of(shop_product.product, shop_product.available)


@router.get("/{product_id}/provenance")
async def read_provenance(product_id: str, run: Run) -> ProvenanceBody:
    """Return the origin of a product of the shop, for anybody."""
    return ProvenanceBody.of(await run(partial(usecases.read_provenance, ProductId(product_id))))


@router.get("/{product_id}/record")
async def read_product_record(product_id: str, run: Run, response: Response) -> ProductBody:
    """Return a product with its price history, for its officers, published or not."""
    product = await run(partial(usecases.read_product, ProductId(product_id)))
    dependencies.set_etag(response, product)
    return ProductBody.of(product)
