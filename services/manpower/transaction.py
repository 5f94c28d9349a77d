"""The unit of work of manpower: its stores and ports. Not here: what use cases do with them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence import unit_of_work
from chassis.persistence.unit_of_work import StoreOf
from services.manpower.agencies.store import Agencies, AgencyRoutes
from services.manpower.applications.store import Applications
from services.manpower.candidates.store import Candidates
from services.manpower.consents.store import Consents
from services.manpower.consumers.store import Consumers
from services.manpower.credentials.store import Credentials
from services.manpower.feed.store import FeedChanges, FeedEntries, FeedHeads
from services.manpower.grants.store import GrantOrders
from services.manpower.placements.store import Placements
from services.manpower.production.store import Production
from services.manpower.vacancies.store import Vacancies, VacancySlots


class Transaction(unit_of_work.Transaction):
    """One unit of work of manpower."""

    agencies = StoreOf(Agencies)
    agency_routes = StoreOf(AgencyRoutes)
    consumers = StoreOf(Consumers)
    credentials = StoreOf(Credentials)
    candidates = StoreOf(Candidates)
    consents = StoreOf(Consents)
    applications = StoreOf(Applications)
    placements = StoreOf(Placements)
    vacancies = StoreOf(Vacancies)
    vacancy_slots = StoreOf(VacancySlots)
    feed_changes = StoreOf(FeedChanges)
    feed_entries = StoreOf(FeedEntries)
    feed_heads = StoreOf(FeedHeads)
    production = StoreOf(Production)
    grant_orders = StoreOf(GrantOrders)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]
