"""Documents that older versions of the identity provider stored reach the schema of today."""

from __future__ import annotations

from pathlib import Path

from gateway.access.clients.rules import CALLS_PER_DAY
from gateway.access.clients.store import Clients
from gateway.access.grants.rules import GrantKind
from gateway.access.grants.store import Grants
from gateway.access.migrations import MIGRATIONS
from gateway.access.users.store import Users
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_users_of_schema_1_have_no_home(mongo_url: str) -> None:
    path = DUMPS / "users-1.json"
    [user] = await old_documents.check_upgrade(mongo_url, Users, MIGRATIONS, path)
    assert (user.home, user.disabled_at, user.disabled_in) == ("", None, {})


async def test_users_of_schema_2_are_disabled_in_no_single_home(mongo_url: str) -> None:
    path = DUMPS / "users-2.json"
    users = await old_documents.check_upgrade(mongo_url, Users, MIGRATIONS, path)
    assert [(user.home, user.disabled_in) for user in users] == [("LP-TJP", {}), ("", {})]


async def test_grants_of_schema_1_are_the_holders_own(mongo_url: str) -> None:
    path = DUMPS / "grants-1.json"
    [grant] = await old_documents.check_upgrade(mongo_url, Grants, MIGRATIONS, path)
    assert (grant.kind, grant.on_behalf_of, grant.excluded) == (GrantKind.OWN, "", ())


async def test_clients_of_schema_1_have_the_usual_quota(mongo_url: str) -> None:
    path = DUMPS / "clients-1.json"
    [client] = await old_documents.check_upgrade(mongo_url, Clients, MIGRATIONS, path)
    assert client.calls_per_day == CALLS_PER_DAY


async def test_of_older_grants_only_those_of_manpower_are_from_above(mongo_url: str) -> None:
    path = DUMPS / "grants-2.json"
    grants = await old_documents.check_upgrade(mongo_url, Grants, MIGRATIONS, path)
    assert [(grant.given_by, grant.from_above) for grant in grants] == [
        ("user-admin", False),
        ("manpower", True),
    ]
