"""The events that certification publishes.

The key of every event is the person, so that all events about one person stay in order. No event
carries a name, a number or an origin. `scheme_id` is the lasting reference of the scheme, the same
in all editions; training's programmes call it `scheme_ref`. Nothing that leaves the system carries
both a certificate id and a `participant_ref`: this topic is internal.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chassis.messaging.events import Event, Reference


class UnitResult(BaseModel):
    """The result of one unit: K (kompeten) or BK (belum kompeten)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str
    result: Literal["K", "BK"]


class UnitTitle(BaseModel):
    """A unit of the scheme's standard."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str
    title: str


class ApplicationOpened(Event, type="certification.application-opened.v1", key="participant_ref"):
    """A completed course opened an application for the scheme of its programme."""

    participant_ref: Reference
    application_id: str
    scheme_id: str
    opened_on: date


class CompetencyAssessed(Event, type="certification.competency-assessed.v1", key="participant_ref"):
    """An assessor assessed every unit and recommended; the panel has not decided yet."""

    participant_ref: Reference
    application_id: str
    scheme_id: str
    units: tuple[UnitResult, ...]
    assessed_on: date


class CertificateIssued(Event, type="certification.certificate-issued.v1", key="participant_ref"):
    """A certificate was signed. Its last day of validity is the day before `valid_until`.

    `digest` is the SHA-256 of the signed content.
    """

    participant_ref: Reference
    certificate_id: str
    scheme_id: str
    scheme_title: str
    units: tuple[UnitTitle, ...]
    valid_from: date
    valid_until: date
    digest: str


class CertificateRevoked(Event, type="certification.certificate-revoked.v1", key="participant_ref"):
    """A certificate was revoked permanently."""

    participant_ref: Reference
    certificate_id: str
    scheme_id: str


class CertificateSuspended(
    Event, type="certification.certificate-suspended.v1", key="participant_ref"
):
    """A certificate was suspended until it is reinstated."""

    participant_ref: Reference
    certificate_id: str
    scheme_id: str


class CertificateReinstated(
    Event, type="certification.certificate-reinstated.v1", key="participant_ref"
):
    """A suspended certificate is valid again."""

    participant_ref: Reference
    certificate_id: str
    scheme_id: str


class CertificateReplaced(
    Event, type="certification.certificate-replaced.v1", key="participant_ref"
):
    """A certificate was issued again under another key, with the same content and validity.

    `replaced_by` takes the place of `certificate_id`; `digest` is that of the new one.
    """

    participant_ref: Reference
    certificate_id: str
    replaced_by: str
    digest: str
