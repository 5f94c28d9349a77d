"""Fixtures of the gateway's tests."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.transaction import Transaction
from tests.database_pool import databases_of
from tests.fakes import Keys, eventually
from tests.gateway.commands import Commands, listening
from tests.gateway.harness import GatewayHarness, new_key, running_gateway
from tests.gateway.installation import InstallationHarness
from tests.gateway.region import DINAS, FILE, OIDC, OfficeHarness, RegionHarness, known

databases, database = databases_of(Transaction)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncGenerator[GatewayHarness]:
    """Start a gateway in front of a small upstream."""
    async with running_gateway(tmp_path) as harness:
        yield harness


@pytest.fixture
async def region(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[RegionHarness]:
    """Start a gateway with a database, an OIDC issuer and the roles of a Dinas."""
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with running_gateway(
        tmp_path, rules=DINAS, oidc=OIDC, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield RegionHarness(harness)


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[OfficeHarness]:
    """Start a gateway with a database, the real routes and roles, and administrators."""
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with running_gateway(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield OfficeHarness(harness)


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
async def installation(
    tmp_path: Path, mongo_url: str, database: str, commands: Commands
) -> AsyncGenerator[InstallationHarness]:
    """Start a gateway with a database and the built-in issuer."""
    del commands  # the fixture must exist before the first MongoDB client
    url = own_mongo_url(tmp_path, mongo_url, database)
    async with running_gateway(
        tmp_path,
        FILE.read_text(),
        ROLE_PERMISSIONS,
        living=True,
        mongo_url=url,
        issuer_key=new_key(),
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield InstallationHarness(harness)
