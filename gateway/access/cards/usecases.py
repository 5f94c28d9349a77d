"""Use cases of cards. Not here: rules and routes."""

from collections.abc import Sequence
from dataclasses import replace

from chassis.ids import named_id
from gateway.access.cards import rules
from gateway.access.cards.rules import Card, CardRefused, CardUnknown
from gateway.access.identity import Identity
from gateway.access.revocations import usecases as revocations
from gateway.access.transaction import Transaction


async def put_card(
    reference: str,
    issuing_service: str,
    own: Sequence[str],
    home: str,
    code: str,
    pin: str,
    tx: Transaction,
) -> Card:
    """Issue a card for these papers; the former card of this reference becomes invalid."""
    fresh = Card(
        id=named_id("card", issuing_service, reference),
        home=home,
        own=tuple(sorted(set(own))),
        code=code,
        pin=pin,
    )
    known = await tx.cards.seek(fresh.id, scoped=False)
    if known is None:
        return tx.cards.add(fresh, scoped=False)
    await revocations.revoke_subject(known.id, tx)
    return tx.cards.save(known, replace(fresh, version=known.version))


async def renew_pin(code: str, pin: str, tx: Transaction) -> Card:
    """Replace the PIN of a card and revoke its tokens."""
    known = await tx.cards.find_by_code(code)
    if known is None:
        raise CardUnknown
    await revocations.revoke_subject(known.id, tx)
    return tx.cards.save(known, rules.replace_pin(known, pin))


async def try_pin(code: str, tx: Transaction) -> Card:
    """Count an attempt at the PIN; return the card. Raises CardRefused."""
    known = await tx.cards.find_by_code(code)
    fresh = rules.count_try(known, tx.now)
    if known is None:
        raise CardRefused
    return tx.cards.save(known, fresh)


async def accept_pin(card_id: str, pin: str, tx: Transaction) -> Card:
    """Reset the count of attempts. Raises CardRefused if the PIN was changed meanwhile."""
    card = await tx.cards.get(card_id, scoped=False)
    if card.pin != pin:
        raise CardRefused
    return tx.cards.save(card, rules.accept_pin(card))


async def sign_out(tx: Transaction) -> None:
    """Revoke every token of the holder."""
    await revocations.revoke_subject(tx.caller.subject, tx)


async def resolve_holder(card_id: str, tx: Transaction) -> Identity:
    """Return the holder of the card that a verified token names. Raises CardRefused."""
    card = await tx.cards.seek(card_id)
    if card is None:
        raise CardRefused
    return Identity(subject=card.id, role="holder", claims={"own": frozenset(card.own)})
