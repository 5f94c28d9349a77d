"""What is allowed: LSPs as issuers, what their licences cover, which keys are theirs (certification sections 4, 5.1, 12.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from urllib.parse import urlsplit

from chassis.errors import Conflict, NotFound, Refused
from services.certification.credentials import did
from services.certification.names import neutral
from services.certification.reasons import Reason

LspId = NewType("LspId", str)
MAX_CHECK_URL_LENGTH = 44  # a QR of version 3, level Q holds 47 letters of HTTPS://HOST/V/<12> (certification section 7)
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
    """Whom an LSP certifies: its own people, its network, or a whole sector."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class KeyPurpose(StrEnum):
    """What a key may sign: certificates, or status lists; so that a stolen list key mints no certificate."""

    KEY = "key"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What BNSP lets an LSP certify, and from when until when (both days included)."""

    number: str
    valid_from: date
    valid_until: date
    scheme_refs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key in assertionMethod. It stays there until the last certificate it signed has expired."""

    name: str
    public: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsp:
    """A certification body. `origin` is where its DID, lists and check pages are served; it never changes, for it is in every certificate."""

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
    """A new LSP, if nothing that its certificates will show tells where their holders were."""
    if not _SLUG.fullmatch(slug):
        raise SlugInvalid
    neutral.require_neutral(slug, "slug")
    neutral.require_neutral(name, "name")
    parts = urlsplit(origin)
    if (
        parts.scheme != "https"
        or origin != f"https://{parts.netloc}"
        or len(f"{origin}/V/") + 12 > MAX_CHECK_URL_LENGTH
    ):
        raise OriginUnfit("Harus https://HOST dan cukup pendek untuk kode QR.")
    neutral.require_neutral(origin, "origin")
    return Lsp(
        id=lsp_id,
        slug=slug,
        name=name.strip(),
        kind=kind,
        origin=origin,
        did=did.build_did(origin, slug),
    )


def add_licence(lsp: Lsp, licence: Licence) -> Lsp:
    """The LSP with one more licence; former ones stay, for certificates of their time hang on them."""
    if licence.valid_until < licence.valid_from:
        raise LicencePeriodInvalid
    return replace(
        lsp,
        licences=(*(known for known in lsp.licences if known.number != licence.number), licence),
    )


def reasons_against_certification(lsp: Lsp, scheme_ref: str, on: date) -> list[Reason]:
    """Why the LSP may not certify this scheme on that day; empty when it may."""
    valid = [licence for licence in lsp.licences if licence.valid_from <= on <= licence.valid_until]
    if not valid:
        return [Reason.LICENCE_EXPIRED]
    return (
        []
        if any(scheme_ref in licence.scheme_refs for licence in valid)
        else [Reason.SCHEME_NOT_LICENSED]
    )


def key_name(purpose: KeyPurpose, year: int) -> str:
    """`key-2026` or `status-2026`."""
    return f"{purpose}-{year}"


def add_key(lsp: Lsp, name: str, public: str, now: datetime) -> Lsp:
    """The LSP with this public key. The same key again changes nothing; another one under the same name is KeyExists."""
    for known in lsp.keys:
        if known.name == name:
            if known.public != public:
                raise KeyExists
            return lsp
    return replace(lsp, keys=(*lsp.keys, IssuerKey(name=name, public=public, added_at=now)))


def newest_key_name(lsp: Lsp, purpose: KeyPurpose) -> str | None:
    """The name of the key that signs now for this purpose, None when there is none yet."""
    return max((key.name for key in lsp.keys if key.name.startswith(f"{purpose}-")), default=None)


def build_did_document(lsp: Lsp) -> dict[str, object]:
    """The LSP's DID document."""
    return did.build_document(lsp.did, [(key.name, key.public) for key in lsp.keys])
