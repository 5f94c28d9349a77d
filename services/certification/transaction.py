"""What one unit of work of certification can reach."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.persistence import unit_of_work
from chassis.persistence.unit_of_work import StoreOf
from services.certification.applications.store import Applications
from services.certification.assessors.store import Assessors
from services.certification.certificates.store import Certificates, Papers
from services.certification.lsps.store import Lsps
from services.certification.origins.store import Origins
from services.certification.panels.store import PanelDecisions
from services.certification.schedules.store import BookingDays
from services.certification.schemes.store import Schemes
from services.certification.statuslists.store import Epochs, Publications, RaisedBits
from services.certification.vault import FieldCipher
from services.certification.venues.store import Venues


class Transaction(unit_of_work.Transaction):
    """The stores of certification."""

    cipher: FieldCipher
    service = "certification"

    lsps = StoreOf(Lsps)
    schemes = StoreOf(Schemes)
    assessors = StoreOf(Assessors)
    venues = StoreOf(Venues)
    booking_days = StoreOf(BookingDays)
    origins = StoreOf(Origins)
    applications = StoreOf(Applications)
    panel_decisions = StoreOf(PanelDecisions)
    certificates = StoreOf(Certificates)
    papers = StoreOf(Papers)
    epochs = StoreOf(Epochs)
    raised_bits = StoreOf(RaisedBits)
    publications = StoreOf(Publications)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]
