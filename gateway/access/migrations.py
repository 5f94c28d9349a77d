"""Migrations of the identity provider's documents. Not here: how they run (chassis)."""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from gateway.access.clients.rules import CALLS_PER_DAY
from gateway.access.clients.store import Clients
from gateway.access.grants.rules import GrantKind
from gateway.access.grants.store import Grants
from gateway.access.users.store import Users

MIGRATIONS = (
    # schema 2 adds a user's home and `disabled_at`; schema 3 adds `disabled_in` for each home
    upgrade_documents(
        Users, {2: add_fields(home="", disabled_at=None), 3: add_fields(disabled_in={})}
    ),
    # schema 2 adds kinds of grants, deputies and the permissions that a deputy does not get
    upgrade_documents(
        Grants,
        {2: add_fields(home="", kind=GrantKind.OWN.value, letter="", on_behalf_of="", excluded=[])},
    ),
    upgrade_documents(Clients, {2: add_fields(calls_per_day=CALLS_PER_DAY)}),
)
