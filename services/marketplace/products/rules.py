"""Rules of products: variants, prices, publication, and public provenance.

Provenance names a workshop, never a person.
Not here: how many units are available (stock).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound, Refused
from services.marketplace.money import Rupiah
from services.marketplace.settings import TEXTS
from services.marketplace.workshops.rules import Workshop, require_open
from services.marketplace.zones import Zone, local_day, month_of

ProductId = NewType("ProductId", str)
MAX_PUBLIC_BATCHES = 12


class ProductUnknown(NotFound):
    title = TEXTS["errors.product_unknown"]


class SkuUnknown(NotFound):
    title = TEXTS["errors.sku_unknown"]


class ProductStateDiffers(Conflict):
    title = TEXTS["errors.product_state_differs"]


class ProductClassUnknown(Refused):
    title = TEXTS["errors.product_class_unknown"]
    field = "product_class"


class SkuTwice(Refused):
    title = TEXTS["errors.sku_twice"]
    field = "variants"


class ProductState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price and the moment from which it applies."""

    amount_idr: Rupiah
    since: datetime
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is sold under one SKU. The last price is the current one."""

    sku: str
    name: str
    weight_g: int
    prices: tuple[Price, ...]

    @property
    def price_idr(self) -> Rupiah:
        """The current price."""
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
        """Return the variant of this SKU. Raises SkuUnknown."""
        for variant in self.variants:
            if variant.sku == sku:
                return variant
        raise SkuUnknown(sku=sku)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedBatch:
    """The number of a completed batch, and when it was completed."""

    number: str
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the public may know about the origin of a product.

    `batches` are pairs of batch number and month of production (`2026-11`).
    """

    workshop_name: str
    programmes: tuple[str, ...]
    batches: tuple[tuple[str, str], ...]


def draft(product: Product, workshop: Workshop) -> Product:
    """Draft a product of a workshop; drafts are not public.

    Raises WorkshopClosed, ProductClassUnknown or SkuTwice.
    """
    require_open(workshop)
    if product.product_class not in workshop.product_classes:
        raise ProductClassUnknown
    skus = {variant.sku for variant in product.variants}
    if len(skus) != len(product.variants):
        raise SkuTwice
    return product


def publish(product: Product) -> Product:
    """Publish the product in the shop."""
    if product.state is ProductState.PUBLISHED:
        raise ProductStateDiffers(state=product.state)
    return replace(product, state=ProductState.PUBLISHED, state_reason="")


def withdraw(product: Product, reason: str) -> Product:
    """Withdraw the product from the shop; placed orders keep it."""
    if product.state is not ProductState.PUBLISHED:
        raise ProductStateDiffers(state=product.state)
    return replace(product, state=ProductState.WITHDRAWN, state_reason=reason)


def set_price(product: Product, sku: str, amount_idr: Rupiah, by: str, now: datetime) -> Product:
    """Set the price of a variant; earlier prices stay in its history. Raises SkuUnknown."""
    price = Price(amount_idr=amount_idr, since=now, set_by=by)
    variant = product.variant(sku)
    priced = replace(variant, prices=(*variant.prices, price))
    variants = tuple(priced if other.sku == sku else other for other in product.variants)
    return replace(product, variants=variants)


def require_published(product: Product) -> None:
    """Require a published product. Raises ProductUnknown, because the public sees no other."""
    if product.state is not ProductState.PUBLISHED:
        raise ProductUnknown


def require_made_in(product: Product, workshop: Workshop, sku: str) -> None:
    """Require a product of this workshop. Raises SkuUnknown."""
    if product.workshop_id != workshop.id:
        raise SkuUnknown(sku=sku)


def derive_provenance(workshop: Workshop, batches: Iterable[CompletedBatch]) -> Provenance:
    """Return the workshop, its programmes, and batch numbers with their month of production.

    A badge of a certified scheme is not implemented. It needs at least five holders, and a query to
    certification.
    """
    origins = [
        (batch.number, month_of(local_day(batch.completed_at, workshop.zone))) for batch in batches
    ]
    return Provenance(
        workshop_name=workshop.name,
        programmes=tuple(programme.title for programme in workshop.programmes),
        batches=tuple(origins[:MAX_PUBLIC_BATCHES]),
    )
