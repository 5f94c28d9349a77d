"""Rules of LSPs: what an issuer is, what its licences cover, which keys are its own.

Sources: certification sections 4, 5.1, 12.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from urllib.parse import urlsplit

from chassis.errors import Conflict, NotFound, Refused
from services.certification.credentials import did
from services.certification.names.rules import require_neutral
from services.certification.reasons import Reason

LspId = NewType("LspId", str)

# HTTPS://HOST/V/<12>: a QR of version 3, level Q holds 47 letters (certification section 7).
MAX_CHECK_URL_LENGTH = 44
TOKEN_LENGTH = 12
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class LspUnknown(NotFound):
    title = "LSP tidak ditemukan"


class SlugInvalid(Refused):
    title = "Nama singkat hanya boleh berisi huruf kecil, angka dan tanda hubung"
    field = "slug"


class SlugTaken(Conflict):
    title = "Nama singkat ini sudah dipakai LSP lain"
    field = "slug"


class OriginUnfit(Refused):
    title = "Alamat publik sertifikat tidak dapat dipakai"
    field = "origin"


class LicencePeriodInvalid(Refused):
    title = "Masa berlaku lisensi tidak benar"
    field = "valid_until"


class KeyExists(Conflict):
    title = "Kunci dengan nama ini sudah ada"


class LspKind(StrEnum):
    """Whom an LSP certifies: its own people (P1), its network (P2) or a whole sector (P3)."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class KeyPurpose(StrEnum):
    """What a key may sign: certificates, or status lists.

    They are two keys, so that a stolen key of lists cannot sign a certificate.
    """

    KEY = "key"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence by BNSP: what an LSP may certify in which period (both days included)."""

    number: str
    valid_from: date
    valid_until: date
    scheme_refs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key in assertionMethod.

    It stays there until the last certificate that it signed has expired.
    """

    name: str
    public: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsp:
    """A certification body.

    `origin` serves its DID, lists and check pages. It never changes, because every certificate
    contains it.
    """

    id: str
    version: int = 0
    slug: str
    name: str
    kind: LspKind
    origin: str
    did: str
    licences: tuple[Licence, ...] = ()
    keys: tuple[IssuerKey, ...] = ()


def register(lsp_id: str, *, slug: str, name: str, kind: LspKind, origin: str) -> Lsp:
    """Return a new LSP. Raises SlugInvalid, OriginUnfit.

    Raises WordDenied when slug, name or origin would reveal where holders were.
    """
    if not _SLUG.fullmatch(slug):
        raise SlugInvalid
    require_neutral(slug, "slug")
    require_neutral(name, "name")
    _check_origin(origin)
    return Lsp(
        id=lsp_id,
        slug=slug,
        name=name.strip(),
        kind=kind,
        origin=origin,
        did=did.build_did(origin, slug),
    )


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    is_plain_https = parts.scheme == "https" and origin == f"https://{parts.netloc}"
    is_too_long = len(f"{origin}/V/") + TOKEN_LENGTH > MAX_CHECK_URL_LENGTH
    if not is_plain_https or is_too_long:
        raise OriginUnfit("Harus https://HOST dan cukup pendek untuk kode QR.")
    require_neutral(origin, "origin")


def require_free_slug(holder: Lsp | None) -> None:
    """Raise SlugTaken when an LSP holds the slug already."""
    if holder is not None:
        raise SlugTaken


def add_licence(lsp: Lsp, licence: Licence) -> Lsp:
    """Add a licence, or replace the one of the same number. Raises LicencePeriodInvalid.

    Former licences stay, because certificates of their time depend on them.
    """
    if licence.valid_until < licence.valid_from:
        raise LicencePeriodInvalid
    others = [known for known in lsp.licences if known.number != licence.number]
    return replace(lsp, licences=(*others, licence))


def reasons_against_certification(lsp: Lsp, scheme_ref: str, on: date) -> list[Reason]:
    """Return why the LSP may not certify this scheme on that day; empty means allowed."""
    valid = [licence for licence in lsp.licences if licence.valid_from <= on <= licence.valid_until]
    if not valid:
        return [Reason.LICENCE_EXPIRED]
    if not any(scheme_ref in licence.scheme_refs for licence in valid):
        return [Reason.SCHEME_NOT_LICENSED]
    return []


def key_name(purpose: KeyPurpose, year: int) -> str:
    """Return the name of a key, such as `key-2026` or `status-2026`."""
    return f"{purpose}-{year}"


def add_key(lsp: Lsp, name: str, public: str, now: datetime) -> Lsp:
    """Add a public key; the same key again changes nothing.

    Raises KeyExists when another key has this name.
    """
    for known in lsp.keys:
        if known.name == name:
            if known.public != public:
                raise KeyExists
            return lsp
    return replace(lsp, keys=(*lsp.keys, IssuerKey(name=name, public=public, added_at=now)))


def newest_key_name(lsp: Lsp, purpose: KeyPurpose) -> str | None:
    """Return the name of the key that signs now for this purpose; None without one."""
    return max((key.name for key in lsp.keys if key.name.startswith(f"{purpose}-")), default=None)


def build_did_document(lsp: Lsp) -> dict[str, object]:
    """Return the LSP's DID document."""
    return did.build_document(lsp.did, [(key.name, key.public) for key in lsp.keys])
