"""The language of an answer: what Accept-Language prefers, and how the answer names it."""

from __future__ import annotations

import pytest

from chassis.errors import PROBLEM
from chassis.http.languages import choose_language
from tests.chassis.harness import Harness

LONG = ", ".join(f"x{number};q=0.1" for number in range(500))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "id"),
        ("id", "id"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-US,en;q=0.9", "en"),
        ("en-US,en;q=0.9,id;q=0.8", "en"),
        ("id,en;q=0.9", "id"),
        ("en;q=0.3, id;q=0.7", "id"),
        ("en, id", "en"),
        ("id, en", "id"),
        ("*", "id"),
        ("*, en;q=0.5", "id"),
        ("*;q=0.5, en", "en"),
        ("id;q=0.1, *", "en"),
        ("id;q=0, *;q=0.1", "en"),
        ("en;q=0", "id"),
        ("fr, de;q=0.9", "id"),
        ("fr, en;q=0.2", "en"),
        ("en;q=2", "id"),
        ("en;q=x", "id"),
        ("en;q=nan", "id"),
        ("en;level=1", "id"),
        (";;,,q=1, =", "id"),
        ("english", "id"),
        (f"{LONG}, en", "id"),
        ("\u00ffen", "id"),
    ],
)
def test_the_preferred_language_is_chosen(header: str, language: str) -> None:
    assert choose_language(header) == language


async def test_an_answer_names_its_language_and_what_it_varies_by(harness: Harness) -> None:
    """The language of one request does not reach the next one."""
    path = "/v1/jars/unknown"
    english = await harness.client.get(path, headers={"accept-language": "en"})
    indonesian = await harness.client.get(path)
    assert (english.json()["title"], english.headers["content-language"]) == ("Jar not found", "en")
    assert indonesian.json()["title"] == "Stoples tidak ditemukan"
    assert indonesian.headers["content-language"] == "id"
    assert {answer.headers["vary"] for answer in (english, indonesian)} == {"accept-language"}
    assert english.headers["content-type"] == PROBLEM


async def test_the_fields_of_a_refused_body_are_named_in_english(harness: Harness) -> None:
    answer = await harness.client.post(
        "/v1/jars",
        json={"id": "a", "room": "north", "colour": "red"},
        headers={"accept-language": "en"},
    )
    assert {(one["field"], one["message"]) for one in answer.json()["errors"]} == {
        ("owner_ref", "is required"),
        ("colour", "is unknown"),
    }
    assert answer.json()["detail"] == "owner_ref is required"


async def test_an_answer_without_a_text_names_no_language(harness: Harness) -> None:
    answer = await harness.client.get("/metrics", headers={"accept-language": "en"})
    assert "content-language" not in answer.headers
