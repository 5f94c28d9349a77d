"""The unit of work of certification: its stores and ports.

Not here: what a use case does with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence import unit_of_work
from chassis.persistence.field_encryption import FieldCipher
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import StoreOf
from services.certification.applications.store import Applications
from services.certification.assessors.store import Assessors
from services.certification.certificates.store import Certificates, Papers
from services.certification.lsps.store import Emblems, Lsps
from services.certification.origins.store import Origins
from services.certification.panels.store import PanelDecisions
from services.certification.roster_reports.store import RosterReports
from services.certification.schedules.store import BookingDays
from services.certification.schemes.store import Schemes
from services.certification.statuslists.store import Epochs, Publications, RaisedBits
from services.certification.venues.store import Venues


class Transaction(unit_of_work.Transaction):
    """The stores and ports that the use cases of certification reach."""

    service = "certification"

    cipher: FieldCipher
    public_origin: str

    lsps = StoreOf(Lsps)
    emblems = StoreOf(Emblems)
    schemes = StoreOf(Schemes)
    assessors = StoreOf(Assessors)
    venues = StoreOf(Venues)
    booking_days = StoreOf(BookingDays)
    origins = StoreOf(Origins)
    applications = StoreOf(Applications)
    roster_reports = StoreOf(RosterReports)
    panel_decisions = StoreOf(PanelDecisions)
    certificates = StoreOf(Certificates)
    papers = StoreOf(Papers)
    epochs = StoreOf(Epochs)
    raised_bits = StoreOf(RaisedBits)
    publications = StoreOf(Publications)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]


def without_idempotency_key(run: RequestRunner[Transaction]) -> Runner[Transaction]:
    """Return a runner for transactions that prepare the request's command.

    The Idempotency-Key belongs to the command alone. The context is a copy, so that audit rows of
    the command carry its name.
    """
    return Runner(run.engine, replace(run.cause), run.seconds)
