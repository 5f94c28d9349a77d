"""Migrations of the identity provider's documents. Not here: how they run (chassis)."""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from chassis.persistence.mongo import Document
from gateway.access.clients.rules import CALLS_PER_DAY
from gateway.access.clients.store import Clients
from gateway.access.grants.rules import MANPOWER_GRANTOR, GrantKind
from gateway.access.grants.store import Grants
from gateway.access.users.store import Users


def _mark_from_above(document: Document) -> Document:
    """Of older grants only those of manpower are known to come from above."""
    return document | {"from_above": document["given_by"] == MANPOWER_GRANTOR.name}


MIGRATIONS = (
    # schema 2 adds a user's home and `disabled_at`; schema 3 adds `disabled_in` for each home
    upgrade_documents(
        Users, {2: add_fields(home="", disabled_at=None), 3: add_fields(disabled_in={})}
    ),
    # schema 2 adds kinds of grants, deputies and the permissions that a deputy does not get;
    # schema 3 says which grants were given from above
    upgrade_documents(
        Grants,
        {
            2: add_fields(
                home="", kind=GrantKind.OWN.value, letter="", on_behalf_of="", excluded=[]
            ),
            3: _mark_from_above,
        },
    ),
    upgrade_documents(Clients, {2: add_fields(calls_per_day=CALLS_PER_DAY)}),
)
