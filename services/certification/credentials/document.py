"""Builds the unsigned documents: the certificate (W3C VC 2.0 with Open Badges 3.0), the status list. Not here: signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from services.certification.credentials import shape

WESTERN_INDONESIA = timezone(timedelta(hours=7))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A competence unit, its code as the standard prints it (R9)."""

    code: str
    title: str
    framework: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSlot:
    """One certificate's place in one status list: the list's opaque id and the index in it."""

    list_id: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateContent:
    """All that a certificate says. `id` and `subject_id` are random UUIDs; dates are aware."""

    id: str
    subject_id: str
    origin: str
    issuer: str
    issuer_name: str
    name: str
    scheme_ref: str
    edition: int
    scheme_title: str
    description: str
    criteria: str
    units: tuple[Unit, ...]
    valid_from: datetime
    valid_until: datetime
    revocation: StatusSlot
    suspension: StatusSlot


def list_url(origin: str, list_id: str) -> str:
    """Where a status list is served."""
    return f"{origin}/l/{list_id}"


def scheme_url(origin: str, scheme_ref: str, edition: int) -> str:
    """The public page of one edition of a scheme."""
    return f"{origin}/s/{scheme_ref}/{edition}"


def format_local(moment: datetime) -> str:
    """An XSD dateTime in the one zone of all certificates (+07:00)."""
    return moment.astimezone(WESTERN_INDONESIA).isoformat(timespec="seconds")


def format_utc(moment: datetime) -> str:
    """An XSD dateTime in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def build_certificate(about: CertificateContent) -> Json:
    """The unsigned credential of a certificate, exactly the shape that `shape.Credential` lets in."""
    page = scheme_url(about.origin, about.scheme_ref, about.edition)
    return {
        "@context": list(shape.CONTEXT),
        "id": f"urn:uuid:{about.id}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": f"Sertifikat Kompetensi: {about.scheme_title}",
        "issuer": {"id": about.issuer, "type": ["Profile"], "name": about.issuer_name},
        "awardedDate": format_local(about.valid_from),
        "validFrom": format_local(about.valid_from),
        "validUntil": format_local(about.valid_until),
        "credentialSubject": {
            "id": f"urn:uuid:{about.subject_id}",
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "identityType": "name",
                    "hashed": False,
                    "identityHash": about.name,
                }
            ],
            "achievement": {
                "id": page,
                "type": ["Achievement"],
                "achievementType": "Certification",
                "name": about.scheme_title,
                "description": about.description,
                "criteria": {"narrative": about.criteria},
                "alignment": [
                    {
                        "type": ["Alignment"],
                        "targetName": unit.title,
                        "targetCode": unit.code,
                        "targetFramework": unit.framework,
                        "targetUrl": page,
                    }
                    for unit in about.units
                ],
            },
        },
        "credentialStatus": [
            _build_status_entry(about.origin, "revocation", about.revocation),
            _build_status_entry(about.origin, "suspension", about.suspension),
        ],
    }


def _build_status_entry(origin: str, purpose: str, slot: StatusSlot) -> Json:
    url = list_url(origin, slot.list_id)
    return {
        "id": f"{url}#{slot.index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": purpose,
        "statusListIndex": str(slot.index),
        "statusListCredential": url,
    }


def build_status_list(
    *,
    url: str,
    issuer: str,
    purpose: str,
    encoded: str,
    valid_from: datetime,
    valid_until: datetime,
) -> Json:
    """The unsigned credential of a status list."""
    return {
        "@context": list(shape.LIST_CONTEXT),
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": format_utc(valid_from),
        "validUntil": format_utc(valid_until),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": encoded,
        },
    }
