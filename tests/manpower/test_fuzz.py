"""No request ends in a 500, and every refusal is a problem."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as for_all
from hypothesis.errors import Unsatisfiable

from chassis.errors import PROBLEM
from tests.manpower.harness import RegionHarness

EXAMPLES = 3


# Without the filter the jitter of the service's retries, in the other thread, fails the test.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_no_request_however_odd_ends_in_a_500(region: RegionHarness) -> None:
    app = region.service.client.app
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    cases = await asyncio.to_thread(draw_cases, schema)
    assert len(cases) > 150
    callers = [region.officer(), region.dinas(), region.employer(), region.administrator()]
    for case, caller in zip(cases, itertools.cycle(callers), strict=False):
        body: Any = case.body
        content = {"content": json.dumps(body)} if isinstance(body, dict | list) else {}
        answer = await caller.request(
            str(case.method),
            str(case.formatted_path),
            params=without_wait(case.query),
            headers=sendable(case.headers) | {"content-type": "application/json"},
            **content,
        )
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        assert answer.status_code < 400 or answer.headers["content-type"] == PROBLEM


def without_wait(query: Any) -> dict[str, Any]:
    """Return the query without `wait`, which would only take time."""
    return {name: value for name, value in dict(query or {}).items() if name != "wait"}


def draw_cases(schema: Any) -> list[Any]:
    """Return requests for every operation, such as fit its schema and such as break it."""
    cases: list[Any] = []
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation, mode in itertools.product(operations, schemathesis.GenerationMode):
        # A route without parameters has no requests that break its schema.
        with contextlib.suppress(Unsatisfiable):
            cases += draw_requests(operation.as_strategy(generation_mode=mode))
    return cases


def draw_requests(strategy: Any) -> list[Any]:
    requests: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
            HealthCheck.data_too_large,
        ],
    )
    @for_all(request=strategy)
    def draw(request: Any) -> None:
        requests.append(request)

    draw()
    return requests


def sendable(headers: Any) -> dict[str, str]:
    """Return the headers that an HTTP client can send."""
    texts = {name: str(value) for name, value in dict(headers or {}).items()}
    return {name: text for name, text in texts.items() if text.isascii() and text.isprintable()}
