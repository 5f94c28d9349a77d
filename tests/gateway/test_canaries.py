"""A service's next version, tried by a share of the subjects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.middleware.circuit_breaker import MIN_VOLUME
from gateway.routing.table import Group
from tests.fakes import Keys
from tests.gateway.harness import (
    ROUTES,
    SmallUpstream,
    Stage,
    fixed,
    free_ports,
    new_key,
    served,
    settings,
    staged,
)
from tests.gateway.test_faults import nobody

HALF = re.sub(
    r'(?m)^(?=paths = \["GET (?:POST /v1/classes|/v1/products)")', "canary = 50\n", ROUTES
)
SUBJECTS = [f"officer-{number}" for number in range(60)]


@asynccontextmanager
async def beside(directory: Path, routes: str = HALF) -> AsyncGenerator[Stage]:
    """A gateway before a training service and its next version."""
    canary = SmallUpstream(
        answers={path: fixed(200, {"next": True}) for path in ("/v1/classes", "/v1/slow")}
    )
    [own] = free_ports(1)
    url = f"http://127.0.0.1:{own.getsockname()[1]}"
    async with (
        served(canary, [own]),
        staged(directory, routes, canaries={"training": url}) as stage,
    ):
        yield stage


async def tried_by(stage: Stage) -> set[str]:
    """The subjects that came to the next version."""
    return {
        subject
        for subject in SUBJECTS
        if b"next"
        in (await stage.ask("GET", "/v1/classes", headers=stage.bearer(subject=subject))).body
    }


async def test_a_share_of_the_subjects_comes_to_the_next_version_and_always_the_same_ones(
    tmp_path: Path,
) -> None:
    async with beside(tmp_path) as stage:
        first = await tried_by(stage)
        assert 15 <= len(first) <= 45
        assert await tried_by(stage) == first
        stage.routes_file.write_text(HALF.replace("canary = 50", "canary = 80"))
        assert stage.door.route_reloader.refresh()
        assert first < await tried_by(stage), "who was there stays there"
        stage.routes_file.write_text(HALF.replace("canary = 50", "canary = 0"))
        assert stage.door.route_reloader.refresh()
        assert await tried_by(stage) == set()


async def test_only_the_routes_that_say_so_and_only_where_there_is_a_next_version(
    tmp_path: Path,
) -> None:
    async with beside(tmp_path, HALF.replace("canary = 50", "canary = 100")) as stage:
        assert await tried_by(stage) == set(SUBJECTS)
        assert b"next" not in (await stage.ask("GET", "/v1/slow", headers=stage.bearer())).body
        assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


async def test_while_the_next_version_gives_no_answer_its_subjects_are_served_like_everybody_else(
    tmp_path: Path,
) -> None:
    async with staged(
        tmp_path, HALF.replace("canary = 50", "canary = 100"), canaries={"training": nobody()}
    ) as stage:
        asked = [
            await stage.ask("POST", "/v1/classes", headers=stage.bearer(subject=subject), data=b"")
            for subject in SUBJECTS
        ]
        assert Counter(told.status for told in asked) == {
            503: MIN_VOLUME,
            200: len(SUBJECTS) - MIN_VOLUME,
        }
        assert [told.status for told in asked[MIN_VOLUME:]] == [200] * (len(SUBJECTS) - MIN_VOLUME)


def test_a_next_version_of_no_service_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GATEWAY_CANARIES: payroll is no service"):
        settings(
            Keys.make(tmp_path),
            new_key(),
            "http://127.0.0.1:9",
            8000,
            tmp_path,
            canaries={"payroll": "http://127.0.0.1:9"},
        )
