"""No request of any kind to any route of any service is a 500 or shows our code."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chassis.errors import PROBLEM
from chassis.persistence.mongo import Mongo
from ops.local.state_dir import ROOT
from tests.fakes import AsgiClient, Keys
from tests.fuzz.odd_requests import Drawer, OddRequest
from tests.gateway.test_services import app_of

SEED = "BINA_FUZZ_SEED"
MOST_SECONDS = 30.0  # a service; five of them take less than three minutes
ROUNDS = 12
ROLES = ("training_officer", "administrator", "dinas_placement", "public")
CLAIMS = ("facility", "regency", "agency", "lsp", "employer", "koperasi", "own", "assignment")


@asynccontextmanager
async def prepared(service: str, directory: Path, mongo_url: str, name: str) -> AsyncGenerator[Any]:
    """Yield a client of a service on real MongoDB, without workers and without Kafka."""
    keys = Keys.make(directory, ("gateway", "training", "certification", "marketplace", "manpower"))
    url = keys.settings("training", mongo_url=mongo_url, database=name, kafka="")["mongo_url"]
    app = app_of(service, directory, keys=keys, mongo_url=url)
    life = app.state.life
    await life.prepare()
    life.prepared.set()
    yield AsgiClient(app, keys, service)
    await life.db.close()
    cleaner = Mongo(url, name)
    await cleaner.drop()
    await cleaner.close()


def callers(client: AsgiClient) -> list[AsgiClient]:
    everywhere: list[AsgiClient] = [
        client.as_(role, subject=role, **dict.fromkeys(CLAIMS, "*")) for role in ROLES
    ]
    here = [client.as_(role, subject=f"{role}-2", facility="LP-TJP") for role in ROLES]
    return everywhere + here


@pytest.mark.parametrize(
    "service", ["training", "certification", "marketplace", "manpower", "gateway"]
)
async def test_no_odd_request_is_a_500(
    service: str,
    tmp_path: Path,
    mongo_url: str,
    record_property: Callable[[str, object], None],
) -> None:
    """The seed is printed; `BINA_FUZZ_SEED=<seed>` draws the same requests again."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**9))
    name = f"test_fuzz_{service}_{os.getpid()}"
    failures: list[Any] = []
    sent = 0
    async with prepared(service, tmp_path, mongo_url, name) as client:
        drawer = Drawer(client.app.openapi(), random.Random(seed))  # noqa: S311 - not secret
        people = callers(client)
        deadline = time.monotonic() + MOST_SECONDS
        plan = [one for _ in range(ROUNDS) for one in drawer.operations()]
        with patch("chassis.http.dependencies.DEFAULT_SECONDS", 5.0):
            for method, template, operation in plan:
                if time.monotonic() > deadline:
                    break
                request = drawer.draw(method, template, operation)
                person = people[drawer.random.randrange(len(people))]
                problem = await ask(person, request, drawer)
                sent += 1
                if problem:
                    failures.append((template, request, problem))
    record_property("figures", {"service": service, "seed": seed, "requests": sent})
    assert sent >= len(plan) / ROUNDS, "the time was too short to ask every operation once"
    assert failures == [], f"{SEED}={seed}"


async def ask(client: AsgiClient, request: OddRequest, drawer: Drawer) -> str:
    """Send a request; return what is wrong with the answer, else ""."""
    async with asyncio.timeout(60):
        answer = await client.request(
            request.method,
            request.path,
            headers=request.headers,
            content=request.content,
        )
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400:
        is_problem = kind == PROBLEM or "html" in kind
        is_leak = "Traceback" in answer.text or str(ROOT) in answer.text
        if answer.status_code in {500, 501, 502} or not is_problem or is_leak:
            return f"{answer.status_code} {kind} {answer.text[:300]}"
    elif kind.startswith("application/json") and answer.content:
        drawer.learn(json.loads(answer.content))
    return ""
