"""Garbage at every route of every service.

The status is below 500, and the problem names the mistake and nothing of our code.
"""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from chassis.files import tus
from chassis.persistence.mongo import Mongo
from ops.local import topology
from tests.fakes import AsgiClient, Keys, running

CLAIMS = ("facility", "regency", "agency", "lsp", "employer", "koperasi", "assignment", "own")
SERVICES = {service.name: service for service in topology.SERVICES}
LEAST = 10
EACH = 2
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
schemathesis.serializer.alias(tus.CONTENT_TYPE, "application/octet-stream")
AWAY = {503, 504}  # the other services that these would query do not run here

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", params=sorted(SERVICES))
async def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mongo_url: str,
    kafka: str,
) -> AsyncIterator[AsgiClient]:
    """Start one service; yield a client that may use every route and sees everything."""
    part = SERVICES[request.param]
    directory = tmp_path_factory.mktemp(part.name)
    keys = Keys.make(directory)
    module = importlib.import_module(f"{part.module}.settings")
    kind: Any = next(
        found for name, found in vars(module).items() if name.lower() == f"{part.name}settings"
    )
    report: dict[str, Any] = dict.fromkeys(part.keys, "22" * 32) | dict.fromkeys(
        part.directories, directory
    )
    report |= {
        name: "http://127.0.0.1:9"
        for name in kind.model_fields
        if name.endswith("_url") and name != "mongo_url"
    }
    values = kind(
        **keys.settings(
            part.name, mongo_url=mongo_url, database=f"test_{uuid.uuid4().hex[:20]}", kafka=kafka
        ),
        **report,
    )
    app = importlib.import_module(f"{part.module}.app").create_app(values)
    async with running(app, keys, part.name) as client:
        yield client.as_("tester", **dict.fromkeys(CLAIMS, "*"))
    cleaner = Mongo(values.mongo_url.get_secret_value(), app.state.life.database())
    await cleaner.drop()
    await cleaner.close()


def sayable(case: Any) -> bool:
    """Return whether an HTTP client can send the headers of this case."""
    headers: dict[str, Any] = case.headers or {}
    return all(
        isinstance(value, str) and value.isascii() and value.isprintable()
        for value in headers.values()
    )


def drawn(operation: Any, each: int) -> list[Any]:
    """Return invalid and valid cases of an operation, the same in every run."""
    cases: list[Any] = []

    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )
    @given(data=st.data(), mode=st.sampled_from([GenerationMode.NEGATIVE, GenerationMode.POSITIVE]))
    def draw(data: st.DataObject, mode: GenerationMode) -> None:
        cases.append(data.draw(operation.as_strategy(generation_mode=mode)))

    draw()
    return cases


async def test_garbage_is_answered_with_a_problem_and_never_with_500(
    service: AsgiClient,
) -> None:
    schema: Any = schemathesis.openapi.from_dict(service.app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= LEAST
    answered: set[str] = set()
    cases = ((one.label, case) for one in operations for case in drawn(one, EACH))
    for label, case in cases:
        if not sayable(case):
            continue
        body: dict[str, Any] = {}
        if case.media_type == "application/json":
            body = {"content": json.dumps(case.body, default=str)}
        elif isinstance(case.body, bytes):
            body = {"content": case.body}
        headers: dict[str, str] = {
            **cast("dict[str, str]", case.headers or {}),
            **({"content-type": case.media_type} if body else {}),
        }
        answer = await service.request(
            case.method, case.formatted_path, params=case.query or {}, headers=headers, **body
        )
        answered.add(label)
        assert answer.status_code < 500 or answer.status_code in AWAY, (label, answer.text)
        if answer.status_code >= 400 and not answer.headers["content-type"].startswith(
            "text/html"
        ):  # a page for people is no problem document
            problem = answer.json()
            assert answer.headers["content-type"] == "application/problem+json", label
            assert problem["title"], label
            assert problem["code"], label
            assert "Traceback" not in answer.text
            assert str(Path.cwd()) not in answer.text
    assert len(answered) == len(operations)
