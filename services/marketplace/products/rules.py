"""What is allowed: products, their variants and prices, and what the public may know of where they come from: a workshop, never a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.batches.rules import Batch, BatchState
from services.marketplace.money import Rupiah
from services.marketplace.workshops.rules import Workshop, require_open
from services.marketplace.zones import Zone, local_day, month_of

ProductId = NewType("ProductId", str)
MAX_PUBLIC_BATCHES = 12


class ProductUnknown(NotFound):
    title = "Produk tidak ditemukan"


class SkuUnknown(NotFound):
    title = "Barang tidak ditemukan"


class ProductStateDiffers(Conflict):
    title = "Keadaan produk tidak memungkinkan langkah ini"


class ProductClassUnknown(Refused):
    title = "Bengkel kerja ini tidak membuat jenis produk tersebut"
    field = "product_class"


class SkuTwice(Refused):
    title = "Setiap varian harus punya SKU sendiri"
    field = "variants"


class ProductState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price and since when it stands."""

    amount_idr: Rupiah
    since: datetime
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is sold under one SKU; the last price is the present one."""

    sku: str
    name: str
    weight_g: int
    prices: tuple[Price, ...]

    @property
    def price_idr(self) -> Rupiah:
        """The present price."""
        return self.prices[-1].amount_idr


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product of one workshop."""

    id: ProductId
    facility_id: str
    zone: Zone
    workshop_id: str
    product_class: str
    title: str
    description: str
    unit: str
    variants: tuple[Variant, ...]
    state: ProductState = ProductState.DRAFT
    state_reason: str = ""
    version: int = 0

    def variant(self, sku: str) -> Variant:
        """The variant of this SKU; SkuUnknown when there is none."""
        for variant in self.variants:
            if variant.sku == sku:
                return variant
        raise SkuUnknown(sku=sku)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """All that the public may know of where a product comes from."""

    workshop_name: str
    programmes: tuple[str, ...]
    batches: tuple[tuple[str, str], ...]


def draft(product: Product, workshop: Workshop) -> Product:
    """A product that its workshop makes, not yet shown to anybody."""
    require_open(workshop)
    if product.product_class not in workshop.product_classes:
        raise ProductClassUnknown
    if len({variant.sku for variant in product.variants}) != len(product.variants):
        raise SkuTwice
    return product


def publish(product: Product) -> Product:
    """Show it to the public."""
    if product.state is ProductState.PUBLISHED:
        raise ProductStateDiffers(state=product.state)
    return replace(product, state=ProductState.PUBLISHED, state_reason="")


def withdraw(product: Product, reason: str) -> Product:
    """Take it from the shop; orders that were placed stand."""
    if product.state is not ProductState.PUBLISHED:
        raise ProductStateDiffers(state=product.state)
    return replace(product, state=ProductState.WITHDRAWN, state_reason=reason)


def set_price(product: Product, sku: str, amount_idr: Rupiah, by: str, now: datetime) -> Product:
    """Set the price of a variant from now on; the earlier prices stay in its history."""
    priced = replace(
        product.variant(sku),
        prices=(*product.variant(sku).prices, Price(amount_idr=amount_idr, since=now, set_by=by)),
    )
    return replace(
        product,
        variants=tuple(priced if variant.sku == sku else variant for variant in product.variants),
    )


def require_published(product: Product) -> None:
    """ProductUnknown to the public unless it is published."""
    if product.state is not ProductState.PUBLISHED:
        raise ProductUnknown


def derive_provenance(workshop: Workshop, batches: Iterable[Batch]) -> Provenance:
    """Workshop, programmes, batch numbers with month of production. No scheme badge yet: it needs at least five holders and certification's answer."""
    made = [
        (batch.number, month_of(local_day(batch.completed_at, workshop.zone)))
        for batch in batches
        if batch.state is BatchState.COMPLETED and batch.completed_at
    ]
    return Provenance(
        workshop_name=workshop.name,
        programmes=tuple(programme.title for programme in workshop.programmes),
        batches=tuple(made[:MAX_PUBLIC_BATCHES]),
    )
