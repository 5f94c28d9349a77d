"""The language of an answer: `Accept-Language` chooses it, `Content-Language` names it.

Services and gateway use this middleware. Not here: the texts (texts).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from chassis.errors import PROBLEM
from chassis.texts import READER_LANGUAGE, Language

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_HEADER_LETTERS = 1_000
ANY = "*"
ANSWERS = frozenset({"application/json", PROBLEM})
_NAMES = frozenset(language.value for language in Language)


class Languages:
    """Sets the language of the reader, and names it in answers of these media types.

    An answer that names its own language keeps it.
    """

    def __init__(self, app: ASGIApp, media_types: Collection[str] = ANSWERS) -> None:
        self.app = app
        self.media_types = media_types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        values = [value for name, value in scope["headers"] if name == b"accept-language"]
        language = choose_language(b",".join(values).decode("latin-1"))

        async def send_with_language(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._name_language(message, language)
            await send(message)

        token = READER_LANGUAGE.set(language)
        try:
            await self.app(scope, receive, send_with_language)
        finally:
            READER_LANGUAGE.reset(token)

    def _name_language(self, start: Message, language: Language) -> None:
        headers = MutableHeaders(scope=start)
        media_type = headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() not in self.media_types or "content-language" in headers:
            return
        headers["content-language"] = language.value
        headers.add_vary_header("accept-language")


def choose_language(header: str) -> Language:
    """Return the language that an `Accept-Language` header prefers (RFC 9110, section 12.5.4).

    Indonesian unless English has the higher weight, or the same weight and comes first. A range
    that cannot be read is left out.
    """
    weights: dict[str, float] = {}
    for language, weight in _ranges(header[:MAX_HEADER_LETTERS]):
        weights[language] = max(weight, weights.get(language, 0.0))
    other = weights.get(ANY, 0.0)
    english = weights.get(Language.ENGLISH, other)
    indonesian = weights.get(Language.INDONESIAN, other)
    names = [name for name in weights if name in _NAMES]
    is_english_first = names[:1] == [Language.ENGLISH]
    if english > indonesian or (english == indonesian > 0 and is_english_first):
        return Language.ENGLISH
    return Language.INDONESIAN


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    """Yield the primary language and the weight of each range that can be read."""
    for part in header.split(","):
        name, *parameters = [piece.strip().lower() for piece in part.split(";")]
        weight = _weight(parameters)
        if name and weight is not None:
            yield name.partition("-")[0], weight


def _weight(parameters: list[str]) -> float | None:
    if not parameters:
        return 1.0
    name, _, value = parameters[0].partition("=")
    try:
        weight = float(value)
    except ValueError:
        return None
    is_weight = len(parameters) == 1 and name.strip() == "q" and 0 <= weight <= 1
    return weight if is_weight else None
