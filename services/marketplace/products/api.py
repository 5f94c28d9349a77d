"""How products are asked for: by officers, and by the public, who see a workshop and never a person."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from services.marketplace.money import Idr, Rupiah
from services.marketplace.products import usecases
from services.marketplace.products.rules import Product, ProductId, Provenance
from services.marketplace.transaction import Run, Transaction
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


class ProductBody(BaseModel):
    """A product as its officers see it, with the history of its prices."""

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
        """The body of a product."""
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
            variants=[
                VariantBody(
                    sku=variant.sku,
                    name=variant.name,
                    weight_g=variant.weight_g,
                    price_idr=variant.price_idr,
                    prices=[
                        PriceBody(
                            amount_idr=price.amount_idr, since=price.since, set_by=price.set_by
                        )
                        for price in variant.prices
                    ],
                )
                for variant in product.variants
            ],
        )


class OfferBody(BaseModel):
    sku: str
    name: str
    weight_g: int
    price_idr: int
    available: int


class ShopProductBody(BaseModel):
    """A product as anybody sees it."""

    id: str
    title: str
    description: str
    unit: str
    product_class: str
    workshop_id: str
    offers: list[OfferBody]

    @classmethod
    def of(cls, product: Product, available: dict[str, int]) -> Self:
        """The public body of a product."""
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
    """Where a product comes from: a workshop, what is taught there, and the batches. Never a person."""

    workshop_name: str
    programmes: list[str]
    batches: list[BatchOfOriginBody]

    @classmethod
    def of(cls, origin: Provenance) -> Self:
        """The body of a provenance."""
        return cls(
            workshop_name=origin.workshop_name,
            programmes=list(origin.programmes),
            batches=[
                BatchOfOriginBody(number=number, month=month) for number, month in origin.batches
            ],
        )


@router.post("", status_code=201)
async def draft_product(body: ProductIn, run: Run) -> ProductBody:
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
    return ProductBody.of(await run(command))


@router.post("/{product_id}/publication")
async def publish_product(product_id: str, run: Run, if_match: dependencies.IfMatch) -> ProductBody:
    """Show a product to the public."""
    return ProductBody.of(await run(partial(usecases.publish, ProductId(product_id), if_match)))


@router.post("/{product_id}/withdrawal")
async def withdraw_product(
    product_id: str, body: WithdrawalIn, run: Run, if_match: dependencies.IfMatch
) -> ProductBody:
    """Take a product from the shop."""
    return ProductBody.of(
        await run(partial(usecases.withdraw, ProductId(product_id), body.reason, if_match))
    )


@router.post("/{product_id}/prices")
async def set_price(
    product_id: str, body: PriceIn, run: Run, if_match: dependencies.IfMatch
) -> ProductBody:
    """Set the price of a variant from now on."""
    return ProductBody.of(
        await run(
            partial(
                usecases.set_price,
                ProductId(product_id),
                body.sku,
                Rupiah(body.price_idr),
                if_match,
            )
        )
    )


@router.get("")
async def list_products(
    run: Run,
    product_class: str | None = None,
    workshop_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ShopProductBody]:
    """What is in the shop, for anybody."""

    async def read(tx: Transaction) -> paging.PageBody[ShopProductBody]:
        page = await tx.products.list_published(product_class, workshop_id, cursor, limit)
        available = await usecases.count_available(page.items, tx)
        return paging.PageBody(
            items=[ShopProductBody.of(product, available) for product in page.items],
            next_cursor=page.next_cursor,
        )

    return await run(read)


@router.get("/{product_id}")
async def read_product(product_id: str, run: Run) -> ShopProductBody:
    """One product of the shop, for anybody."""

    async def read(tx: Transaction) -> ShopProductBody:
        product = await usecases.read_published(ProductId(product_id), tx)
        return ShopProductBody.of(product, await usecases.count_available([product], tx))

    return await run(read)


@router.get("/{product_id}/provenance")
async def read_provenance(product_id: str, run: Run) -> ProvenanceBody:
    """Where a product of the shop comes from, for anybody."""
    return ProvenanceBody.of(await run(partial(usecases.read_provenance, ProductId(product_id))))


@router.get("/{product_id}/record")
async def read_product_record(product_id: str, run: Run, response: Response) -> ProductBody:
    """A product with its price history, for its officers, published or not."""

    async def read(tx: Transaction) -> Product:
        return await tx.products.get(product_id)

    product = await run(read)
    dependencies.set_etag(response, product)
    return ProductBody.of(product)
