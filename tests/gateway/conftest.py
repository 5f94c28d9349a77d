"""Fixtures of the gateway's tests."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.transaction import Transaction
from tests.database_pool import databases_of
from tests.fakes import Keys, eventually
from tests.gateway.commands import Commands, listening
from tests.gateway.harness import Stage, new_key, staged
from tests.gateway.installation import Installation
from tests.gateway.region import DINAS, FILE, OIDC, Office, Region, known

databases, database = databases_of(Transaction)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """Start a gateway in front of a small upstream."""
    async with staged(tmp_path) as stage:
        yield stage


@pytest.fixture
async def region(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[Region]:
    """Start a gateway with a database, an OIDC issuer and the roles of a Dinas."""
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with staged(tmp_path, rules=DINAS, oidc=OIDC, living=True, mongo_url=url) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Region(stage)


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[Office]:
    """Start a gateway with a database, the real routes and roles, and administrators."""
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with staged(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Office(stage)


def own_mongo_url(directory: Path, mongo_url: str, database: str) -> str:
    """Return the gateway's own URL of the database."""
    keys = Keys.make(directory)
    own = keys.settings("gateway", mongo_url=mongo_url, database=database, kafka="")
    return own["mongo_url"]


@pytest.fixture
def commands() -> Generator[Commands]:
    """Record the commands of every MongoDB client made in this test."""
    with listening() as heard:
        yield heard


@pytest.fixture
async def place(
    tmp_path: Path, mongo_url: str, database: str, commands: Commands
) -> AsyncGenerator[Installation]:
    """Such an installation."""
    del commands  # they are listened to from its first client on
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with staged(
        tmp_path,
        FILE.read_text(),
        ROLE_PERMISSIONS,
        living=True,
        mongo_url=url,
        issuer_key=new_key(),
    ) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Installation(stage)
