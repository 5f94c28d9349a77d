r"""Texts that no database can keep: half a character (`\ud800` in JSON), at every route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.access.permissions import ROLE_PERMISSIONS
from tests.fakes import AsgiClient, Keys
from tests.gateway.harness import new_key
from tests.gateway.test_services import app_of

HALF = b'"\\ud800"'


def texts_of(schema: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """Return the fields of a request body that are free text."""
    body = (
        schema["components"]["schemas"][body["$ref"].rpartition("/")[2]] if "$ref" in body else body
    )
    kinds = {
        name: [field, *field.get("anyOf", ())] for name, field in body.get("properties", {}).items()
    }
    return [
        name
        for name, ways in kinds.items()
        if any(
            way.get("type") == "string" and not {"format", "enum", "const", "pattern"} & way.keys()
            for way in ways
        )
    ]


@pytest.mark.parametrize("name", sorted(ROLE_PERMISSIONS.by_service))
async def test_half_a_character_is_refused_with_its_field_at_every_route(
    name: str, tmp_path: Path
) -> None:
    keys = Keys.make(tmp_path)
    more = {"issuer_key": new_key()} if name == "gateway" else dict[str, str]()
    service = AsgiClient(app_of(name, tmp_path, keys=keys, **more), keys, name)
    # The body is validated before any use of the database, which does not exist here.
    service.app.state.life.prepared.set()
    schema = service.app.openapi()
    asked: list[str] = []
    taken: list[str] = []
    for path, methods in schema["paths"].items():
        if path.startswith("/internal/"):
            continue  # only our own services send requests to it
        for method, route in methods.items():
            content = route.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None or not (texts := texts_of(schema, content["schema"])):
                continue
            body = b"{" + b", ".join(b'"%s": %s' % (text.encode(), HALF) for text in texts) + b"}"
            answer = await service.request(
                method.upper(),
                path,
                content=body,
                headers={
                    "content-type": "application/json",
                    "idempotency-key": "k",
                    "if-match": '"1"',
                },
            )
            refused = (
                {one["field"].split(".")[0] for one in answer.json().get("errors", ())}
                if answer.status_code == 422
                else set[str]()
            )
            asked.append(path)
            taken += [
                f"{method} {path} {text}: {answer.status_code}"
                for text in texts
                if text not in refused
            ]
    assert taken == []
    assert asked
