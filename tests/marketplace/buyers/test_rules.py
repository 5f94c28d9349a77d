"""Rules of guests: contacts are normalised, holds are limited."""

from __future__ import annotations

import pytest

from services.marketplace.buyers import rules
from services.marketplace.buyers.rules import GuestHolds, UnpaidOrder

STOCK = "KURSI@LP:lapas"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("0812-3456", ""), ("+62 8123456", "")),
        (("0062 812 3456", ""), ("628123456", "")),
        (("٠٨١٢٣٤٥٦", ""), ("08123456", "")),
        (("", "Budi@Contoh.ID "), ("", "budi+2@contoh.id")),
    ],
)
def test_spellings_of_one_contact_have_one_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert rules.contact_ids(*one) == rules.contact_ids(*other)


def test_phone_and_email_are_two_contacts_and_their_ids_show_neither() -> None:
    ids = rules.contact_ids("08123456", "budi@contoh.id")
    assert len(set(ids)) == 2
    assert not any("8123456" in id_ or "budi" in id_ for id_ in ids)


@pytest.mark.parametrize(
    ("available", "held", "qty", "is_allowed"),
    [(1, 0, 1, True), (2, 0, 2, False), (9, 0, 5, True), (9, 0, 6, False), (6, 3, 2, True)],
)
def test_half_of_what_is_available_is_rounded_up(
    available: int, held: int, qty: int, *, is_allowed: bool
) -> None:
    """What the contact holds already counts as available to it."""
    orders = (UnpaidOrder(order_id="o0", quantities={STOCK: held}),) if held else ()
    guest = GuestHolds(id="g", orders=orders)
    order = UnpaidOrder(order_id="o1", quantities={STOCK: qty})
    if is_allowed:
        assert rules.hold(guest, order, {STOCK: available}).orders == (*orders, order)
        return
    with pytest.raises(rules.HoldsTooMuch):
        rules.hold(guest, order, {STOCK: available})
