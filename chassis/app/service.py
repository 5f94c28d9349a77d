"""The definition of a service, from which the factory makes its process.

Not here: any route of a service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import APIRouter

from chassis.app.migrations import Migration
from chassis.jobs.key_rotation import KeyedStore
from chassis.jobs.runner import Job
from chassis.messaging.events import Event
from chassis.messaging.received_events import Handlers
from chassis.persistence.unit_of_work import Transaction
from chassis.settings import Settings

Tx = TypeVar("Tx", bound=Transaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[Tx]):
    """The definition of a service: unit of work, routes, events, jobs, migrations and ports.

    Each port becomes an attribute of the service's transactions, where that class declares it,
    and of `app.state`. `notices` say what this process leaves out; /statusz and `./bina status`
    show them. `keyed_stores` are the stores whose documents name keys of its rings.
    """

    name: str
    settings: Settings
    transaction: type[Tx]
    routers: Sequence[APIRouter]
    published: Sequence[type[Event]] = ()
    handlers: Handlers = field(default_factory=dict[str, Any])
    jobs: Sequence[Job] = ()
    migrations: Sequence[Migration] = ()
    keyed_stores: Sequence[KeyedStore] = ()
    ports: Mapping[str, Any] = field(default_factory=dict[str, Any])
    title: str = ""
    notices: Sequence[str] = ()
