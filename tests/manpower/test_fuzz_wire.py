"""Whatever a request holds, the answer is one that the route may give: never a 500, and every refusal is a problem."""

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
from tests.fakes import AsgiClient
from tests.manpower.harness import Region

EXAMPLES = 3


@pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module inside strategies"
)  # the service's own jitter, in the other thread
async def test_no_request_however_odd_ends_in_a_500(region: Region) -> None:
    app = region.service.client.app
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    callers: list[AsgiClient] = [
        region.officer(),
        region.dinas(),
        region.employer(),
        region.administrator(),
    ]
    cases = await asyncio.to_thread(_drawn, schema)
    assert len(cases) > 150
    for number, case in enumerate(cases):
        caller = callers[number % len(callers)]
        body: Any = case.body
        content = {"content": json.dumps(body)} if isinstance(body, dict | list) else {}
        headers = _sendable(case.headers) | {"content-type": "application/json"}
        answer = await caller.request(
            str(case.method),
            str(case.formatted_path),
            params=_short(case.query),
            headers=headers,
            **content,
        )
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        assert answer.status_code < 400 or answer.headers["content-type"] == PROBLEM


def _short(query: Any) -> dict[str, Any]:
    """The query without its waiting."""
    return {name: value for name, value in dict(query or {}).items() if name != "wait"}


def _drawn(schema: Any) -> list[Any]:
    """Requests for every operation, such as fit its schema and such as break it."""
    cases: list[Any] = []
    for operation, mode in itertools.product(
        [found.ok() for found in schema.get_all_operations()], schemathesis.GenerationMode
    ):
        strategy: Any = operation.as_strategy(generation_mode=mode)

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
        @for_all(case=strategy)
        def draw(case: Any) -> None:
            cases.append(case)

        with contextlib.suppress(
            Unsatisfiable
        ):  # a route without parameters cannot be asked wrongly
            draw()
    return cases


def _sendable(headers: Any) -> dict[str, str]:
    """Those headers that an HTTP client can send at all."""
    return {
        name: str(value)
        for name, value in dict(headers or {}).items()
        if str(value).isascii() and str(value).isprintable()
    }
