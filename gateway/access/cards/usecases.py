"""What happens to cards."""

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
    """Give a card for these papers; the one given before under this reference is worth nothing any more."""
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
    """Another PIN for the card that lies on the table; what was signed in with it ends."""
    known = await tx.cards.find_by_code(code)
    if known is None:
        raise CardUnknown
    await revocations.revoke_subject(known.id, tx)
    return tx.cards.save(known, rules.replace_pin(known, pin))


async def try_pin(code: str, tx: Transaction) -> Card:
    """The card, a try at its PIN counted; CardRefused where there is nothing to try."""
    known = await tx.cards.find_by_code(code)
    fresh = rules.count_try(known, tx.now)
    if known is None:
        raise CardRefused
    return tx.cards.save(known, fresh)


async def accept_pin(card_id: str, pin: str, tx: Transaction) -> Card:
    """Forget the tries; CardRefused where the PIN changed meanwhile."""
    card = await tx.cards.get(card_id, scoped=False)
    if card.pin != pin:
        raise CardRefused
    return tx.cards.save(card, rules.accept_pin(card))


async def sign_out(tx: Transaction) -> None:
    """Trust nothing any more that the holder signed in with."""
    await revocations.revoke_subject(tx.caller.subject, tx)


async def resolve_holder(card_id: str, tx: Transaction) -> Identity:
    """The holder whom a token of ours names; CardRefused where the card is no more."""
    card = await tx.cards.seek(card_id)
    if card is None:
        raise CardRefused
    return Identity(subject=card.id, role="holder", claims={"own": frozenset(card.own)})
