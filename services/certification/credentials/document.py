"""Builders of the unsigned documents: certificates and status lists.

Standards: W3C Verifiable Credentials 2.0 with Open Badges 3.0; W3C Bitstring Status List v1.0.
Not here: signatures (proof).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from services.certification.credentials import shape

WESTERN_INDONESIA = timezone(timedelta(hours=7))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of competence, with its code as the standard prints it (R9).

    `title_en` is for the paper; it is not signed.
    """

    code: str
    title: str
    framework: str
    title_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSlot:
    """One certificate's slot in one status list: the list's opaque id and the index in it."""

    list_id: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateContent:
    """Everything that a certificate says. `id` and `subject_id` are random UUIDs."""

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
    """Return the URL of a status list."""
    return f"{origin}/l/{list_id}"


def scheme_url(origin: str, scheme_ref: str, edition: int) -> str:
    """Return the URL of the public page of one edition of a scheme."""
    return f"{origin}/s/{scheme_ref}/{edition}"


def format_local(moment: datetime) -> str:
    """Return an XSD dateTime in the one zone of all certificates (+07:00)."""
    return moment.astimezone(WESTERN_INDONESIA).isoformat(timespec="seconds")


def format_utc(moment: datetime) -> str:
    """Return an XSD dateTime in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def build_certificate(content: CertificateContent) -> Json:
    """Return the unsigned credential, in exactly the shape of `shape.Credential`."""
    page = scheme_url(content.origin, content.scheme_ref, content.edition)
    return {
        "@context": list(shape.CONTEXT),
        "id": f"urn:uuid:{content.id}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": f"Sertifikat Kompetensi: {content.scheme_title}",
        "issuer": {"id": content.issuer, "type": ["Profile"], "name": content.issuer_name},
        "awardedDate": format_local(content.valid_from),
        "validFrom": format_local(content.valid_from),
        "validUntil": format_local(content.valid_until),
        "credentialSubject": {
            "id": f"urn:uuid:{content.subject_id}",
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "identityType": "name",
                    "hashed": False,
                    "identityHash": content.name,
                }
            ],
            "achievement": {
                "id": page,
                "type": ["Achievement"],
                "achievementType": "Certification",
                "name": content.scheme_title,
                "description": content.description,
                "criteria": {"narrative": content.criteria},
                "alignment": [
                    {
                        "type": ["Alignment"],
                        "targetName": unit.title,
                        "targetCode": unit.code,
                        "targetFramework": unit.framework,
                        "targetUrl": page,
                    }
                    for unit in content.units
                ],
            },
        },
        "credentialStatus": [
            _build_status_entry(content.origin, "revocation", content.revocation),
            _build_status_entry(content.origin, "suspension", content.suspension),
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
    """Return the unsigned credential of a status list."""
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
