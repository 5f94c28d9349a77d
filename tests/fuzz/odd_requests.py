"""Requests drawn from an OpenAPI document: mostly sound, each with something odd in it."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

Json = Any
METHODS = ("get", "post", "put", "patch", "delete")
ODD_TEXTS = (
    "",
    " ",
    "\0",
    "\ud800",
    "a\u0301\u200b\u202e\ufeff",
    "x" * 5_000,
    "../..",
    "{'$ne': null}",
    "$where",
    "=1+1",
    "*",
    "-1",
    "NaN",
    "9" * 400,
    "WyJwcm9kdWN0cy9faWQvMSIsIHsidiI6IG51bGx9LCAiXHVkODAwIl0",
)
ODD_DAYS = (
    "0001-01-01",
    "1900-01-01",
    "2026-02-30",
    "2026-11-30",
    "2200-12-31",
    "9999-12-31",
    "20000101",
)
ODD_ZONES = ("Z", "+14:00", "-12:00", "", "+99:99")
ODD_VALUES: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    -(2**64),
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    0.1,
    [],
    {},
    [[[[[[[[[]]]]]]]]],
    {"$ne": None},
    {"$gt": ""},
)
ODD_BODIES = (
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b'"text"',
    b"[" * 20_000,
    b'{"a": 1, "a": 2}',
    b"\0" * 100,
    b"PK\x03\x04" + b"\0" * 200,
)
ODD_HEADERS = (
    ("if-match", '"1"'),
    ("if-match", '"0"'),
    ("if-match", "*"),
    ("if-match", '"' + "9" * 30 + '"'),
    ("if-match", 'W/"x"'),
    ("idempotency-key", "k"),
    ("idempotency-key", "k" * 199),
    ("accept-language", "en;q=2, *;q=x"),
    ("accept", "image/png"),
    ("access-reason", "because it is so"),
    ("x-request-deadline", "nan"),
    ("order-token", "x"),
    ("content-encoding", "gzip"),
    ("range", "bytes=-1"),
)


@dataclass(frozen=True, slots=True)
class OddRequest:
    """One request; `content` is the raw body."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(slots=True)
class Drawer:
    """Draws requests for the operations of one document; `known` are ids that answers showed."""

    document: Json
    random: random.Random
    known: list[str] = field(default_factory=list[str])

    def operations(self) -> list[tuple[str, str, Json]]:
        """Return method, template and description of every operation."""
        found: list[tuple[str, str, Json]] = []
        for template, item in self.document["paths"].items():
            methods = METHODS & item.keys()
            found += [(method, template, item[method]) for method in sorted(methods)]
        return found

    def learn(self, answer: Json) -> None:
        """Remember the ids in an answer, so that later requests name what exists."""
        self.known += [text for text in _texts(answer) if 2 <= len(text) <= 64][:50]
        self.known = self.known[-2_000:]

    def draw(self, method: str, template: str, operation: Json) -> OddRequest:
        """Return a request for this operation."""
        path = template
        query: list[str] = []
        headers: dict[str, str] = {}
        for parameter in operation.get("parameters", ()):
            value = self._parameter(parameter["schema"])
            name = parameter["name"]
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", _quoted(value) or "x")
            elif parameter["in"] == "query" and name != "wait" and self.random.random() < 0.6:
                query.append(f"{name}={_quoted(value)}")
        headers |= dict(self.random.sample(ODD_HEADERS, 2))
        if self.random.random() < 0.7:
            headers["if-match"] = f'"{self.random.choice([1, 1, 2])}"'
        content = self._content(operation)
        if content is not None:
            kinds = ["application/json"] * 8 + ["text/plain", "application/octet-stream", "x"]
            headers["content-type"] = self.random.choice(kinds)
        target = f"{path}?{'&'.join(query)}" if query else path
        return OddRequest(method.upper(), target, headers, content)

    def _content(self, operation: Json) -> bytes | None:
        described = operation.get("requestBody", {}).get("content", {})
        if not described or self.random.random() < 0.05:
            return self.random.choice(ODD_BODIES) if self.random.random() < 0.2 else None
        schema = described.get("application/json", {}).get("schema")
        if schema is None or self.random.random() < 0.1:
            return self.random.choice(ODD_BODIES)
        body = self.value(schema)
        if self.random.random() < 0.7:
            body = self._with_oddity(body)
        return json.dumps(body).encode()

    def _parameter(self, schema: Json) -> str:
        if self.known and self.random.random() < 0.4:
            return self.random.choice(self.known)
        if self.random.random() < 0.3:
            return self._odd_text()
        value = self.value(schema)
        return value if isinstance(value, str) else json.dumps(value)

    def _odd_text(self) -> str:
        day = self.random.choice(ODD_DAYS)
        moment = f"{day}T00:00:00{self.random.choice(ODD_ZONES)}"
        return self.random.choice([self.random.choice(ODD_TEXTS), day, moment])

    def _odd_value(self) -> Json:
        return self.random.choice([self._odd_text(), self.random.choice(ODD_VALUES)])

    def _with_oddity(self, body: Json) -> Json:
        """Return the body with one value, at a random place, replaced."""
        if isinstance(body, dict) and body and self.random.random() < 0.95:
            members = cast("dict[str, Json]", body)
            name = self.random.choice(list(members))
            return members | {name: self._with_oddity(members[name])}
        if isinstance(body, list) and body and self.random.random() < 0.8:
            items = cast("list[Json]", body)
            return [self._with_oddity(items[0]), *items[1:]]
        return self._odd_value()

    def value(self, schema: Json, depth: int = 0) -> Json:
        """Return a value that mostly fits a JSON schema."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.value(self.document["components"]["schemas"][name], depth)
        choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if choices:
            return self.value(self.random.choice(choices), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        return self._typed_value(schema, depth)

    def _typed_value(self, schema: Json, depth: int) -> Json:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            least = schema.get("minItems", 0)
            count = max(least, self.random.choice([0, 1, 2]) if depth < 4 else least)
            items: Json = schema.get("items") or {}
            prefix: list[Json] = schema.get("prefixItems", [])
            if prefix:
                return [self.value(one, depth + 1) for one in prefix]
            return [self.value(items, depth + 1) for _ in range(count)]
        if kind in {"integer", "number"}:
            least = int(schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1))
            most = int(schema.get("maximum", max(least, 10**6)))
            return self.random.choice([least, most, self.random.randint(least, max(least, most))])
        if kind in {"boolean", "null"}:
            return self.random.choice([True, False]) if kind == "boolean" else None
        return self._text(schema)

    def _object(self, schema: Json, depth: int) -> Json:
        required = schema.get("required", ())
        value: dict[str, Json] = {}
        for name, described in schema.get("properties", {}).items():
            if name in required or self.random.random() < 0.5:
                value[name] = self.value(described, depth + 1)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and depth < 4:
            value[self._text({})] = self.value(extra, depth + 1)
        return value

    def _text(self, schema: Json) -> str:
        if schema.get("format") == "date":
            return f"20{self.random.randint(20, 30)}-{self.random.randint(1, 12):02}-28"
        if schema.get("format") == "date-time":
            return f"20{self.random.randint(20, 30)}-01-28T10:00:00Z"
        if self.known and self.random.random() < 0.4:
            return self.random.choice(self.known)
        pattern = schema.get("pattern", "")
        letters = string.digits if "\\d" in pattern or "0-9" in pattern else string.ascii_lowercase
        least = schema.get("minLength", 1)
        length = self.random.choice([least, min(schema.get("maxLength", 40), least + 7)])
        return "".join(self.random.choice(letters) for _ in range(length))


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, Json]", value).values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _texts(item)
