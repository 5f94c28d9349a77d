"""Signed cursors: verification returns what was signed, and refuses everything else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from enum import StrEnum

import pytest

from chassis.persistence.cursors import CursorInvalid, CursorSigner, CursorValue
from chassis.persistence.mongo import Mongo
from chassis.persistence.store import Page
from tests.chassis.harness import runner
from tests.chassis.sample_service import Jar, Transaction

NOW = datetime(2026, 11, 30, 9, 30, 0, 123_000, UTC)
SIGNER = CursorSigner.derived_from(b"secret")


class Colour(StrEnum):
    RED = "red"


def forged(plain: bytes) -> str:
    """Return a cursor whose signature is made without the key."""
    return base64.urlsafe_b64encode(b"\0" * 16 + plain).decode()


def test_a_cursor_of_the_format_without_a_signature_is_refused() -> None:
    plain = json.dumps(["products/_id/1", {"v": None}, "\ud800"]).encode()
    unsigned = base64.urlsafe_b64encode(plain).decode().rstrip("=")
    with pytest.raises(CursorInvalid) as refusal:
        SIGNER.verify(unsigned, "products/_id/1")
    assert (refusal.value.status, refusal.value.field) == (422, "cursor")


@pytest.mark.parametrize("position", [(1, "a"), (None, "a"), ("b", "a"), (NOW, "a"), ()])
def test_a_cursor_gives_its_position_back(position: tuple[CursorValue, ...]) -> None:
    assert SIGNER.verify(SIGNER.sign("jars", position), "jars") == position


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "!!!",
        "\ud800",
        "A" * 10_000,
        forged(b"[" * 100_000),
        forged(b'["a"]'),
        SIGNER.sign("notes", ("a",)),
        SIGNER.sign("jars", ("a",), filters={"room": "north"}),
        SIGNER.sign("jars", ("a",))[:-1],
        SIGNER.sign("jars", ("a",)) + "AAAA",
        CursorSigner.derived_from(b"other").sign("jars", ("a",)),
    ],
)
def test_a_cursor_that_was_not_signed_for_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        SIGNER.verify(cursor, "jars")


@pytest.mark.parametrize("place", range(0, 30, 3))
def test_a_cursor_that_was_changed_in_one_letter_is_refused(place: int) -> None:
    cursor = SIGNER.sign("jars", (123456, "a"))
    letter = "B" if cursor[place] == "A" else "A"
    with pytest.raises(CursorInvalid):
        SIGNER.verify(cursor[:place] + letter + cursor[place + 1 :], "jars")


def test_filters_are_compared_by_value() -> None:
    """The order of members and of sets differs between processes."""
    cursor = SIGNER.sign("jars", ("a",), filters={"a": {"x", "y"}, "at": NOW, "of": Colour.RED})
    same = {"of": "red", "at": NOW, "a": frozenset({"y", "x"})}
    assert SIGNER.verify(cursor, "jars", filters=same) == ("a",)


async def test_a_page_refuses_the_cursor_of_another_filter(db: Mongo) -> None:
    async def fill(tx: Transaction) -> None:
        for number in range(4):
            tx.jars.add(Jar(id=f"j{number}", owner_ref="o", room="north" if number < 3 else "a"))

    async def page(room: str, cursor: str | None, tx: Transaction) -> Page[Jar]:
        return await tx.jars.page({"room": room}, cursor=cursor, limit=1)

    run = runner(db)
    await run(fill)
    first = await run(lambda tx: page("north", None, tx))
    second = await run(lambda tx: page("north", first.next_cursor, tx))
    assert [jar.id for jar in second.items] == ["j1"]
    with pytest.raises(CursorInvalid):
        await run(lambda tx: page("south", first.next_cursor, tx))
