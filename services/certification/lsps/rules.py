"""Rules of LSPs: what an issuer is, what its licences cover, which keys are its own.

Sources: certification sections 4, 5.1, 12.1.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from urllib.parse import urlsplit

from chassis.errors import Conflict, NotFound, Refused
from services.certification.credentials import did
from services.certification.names.rules import require_neutral, require_paper_text
from services.certification.reasons import Reason
from services.certification.settings import TEXTS

LspId = NewType("LspId", str)

# HTTPS://HOST/V/<12>: a QR of version 3, level Q holds 47 letters (certification section 7).
MAX_CHECK_URL_LENGTH = 44
TOKEN_LENGTH = 12
MAX_EMBLEM_BYTES = 256 * 1024
MIN_EMBLEM_SIDE = 100
MAX_EMBLEM_SIDE = 2_000
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class LspUnknown(NotFound):
    title = TEXTS["errors.lsp_unknown"]


class SlugInvalid(Refused):
    title = TEXTS["errors.slug_invalid"]
    field = "slug"


class SlugTaken(Conflict):
    title = TEXTS["errors.slug_taken"]
    field = "slug"


class OriginUnfit(Refused):
    title = TEXTS["errors.origin_unfit"]
    field = "origin"


class LicencePeriodInvalid(Refused):
    title = TEXTS["errors.licence_period_invalid"]
    field = "valid_until"


class KeyExists(Conflict):
    title = TEXTS["errors.key_exists"]


class KeyUnknown(NotFound):
    title = TEXTS["errors.key_unknown"]


class KeysExhausted(Conflict):
    title = TEXTS["errors.keys_exhausted"]


class EmblemUnfit(Refused):
    title = TEXTS["errors.emblem_unfit"]
    field = "emblem"


class EmblemUnknown(NotFound):
    title = TEXTS["errors.emblem_unknown"]


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

    def covers(self, scheme_ref: str, on: date) -> bool:
        """Return whether it covers this scheme on that day."""
        return self.valid_from <= on <= self.valid_until and scheme_ref in self.scheme_refs


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceProposal:
    """A licence that waits for a second person; it covers nothing before.

    `certificates` is how many were issued under the licence of this number, counted when shown.
    """

    id: str
    licence: Licence
    proposed_at: datetime
    proposed_by: str
    proposed_for: str = ""
    certificates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public key; it signs from `added_at` until `retired_at`.

    It stays in assertionMethod until the last certificate that it signed has expired. A key that
    was compromised leaves assertionMethod at once.
    """

    name: str
    public: str
    added_at: datetime
    retired_at: datetime | None = None
    compromised_at: datetime | None = None

    def signs_for(self, purpose: KeyPurpose) -> bool:
        """Return whether the key has this purpose and was not compromised."""
        return self.compromised_at is None and purpose_of(self.name) is purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Who signs the papers of an LSP, in which office and in which town."""

    name: str
    office: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emblem:
    """The emblem of an LSP (PNG), as its papers show it; its id is that of the LSP."""

    id: str
    version: int = 0
    content: bytes


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
    licence_proposals: tuple[LicenceProposal, ...] = ()
    keys: tuple[IssuerKey, ...] = ()
    signatory: Signatory | None = None


def register(lsp_id: str, *, slug: str, name: str, kind: LspKind, origin: str) -> Lsp:
    """Return a new LSP. Raises SlugInvalid, OriginUnfit.

    Raises WordDenied when slug, name or origin would reveal where holders were.
    """
    if not _SLUG.fullmatch(slug):
        raise SlugInvalid
    require_neutral(slug, "slug")
    require_paper_text(name, "name")
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
        raise OriginUnfit(TEXTS["details.origin_form"])
    require_neutral(origin, "origin")


def require_free_slug(holder: Lsp | None) -> None:
    """Raise SlugTaken when an LSP holds the slug already."""
    if holder is not None:
        raise SlugTaken


def check_licence(licence: Licence) -> None:
    """Raise LicencePeriodInvalid, or WordDenied or TextNotPrintable for a licence unfit to use."""
    if licence.valid_until < licence.valid_from:
        raise LicencePeriodInvalid
    require_paper_text(licence.number, "number")


def reasons_against_certification(lsp: Lsp, scheme_ref: str, on: date) -> list[Reason]:
    """Return why the LSP may not certify this scheme on that day; empty means allowed."""
    valid = [licence for licence in lsp.licences if licence.valid_from <= on <= licence.valid_until]
    if not valid:
        return [Reason.LICENCE_EXPIRED]
    if not any(scheme_ref in licence.scheme_refs for licence in valid):
        return [Reason.SCHEME_NOT_LICENSED]
    return []


def find_licence(lsp: Lsp, scheme_ref: str, on: date) -> Licence | None:
    """Return the licence that covers this scheme on that day; None without one."""
    return next((held for held in lsp.licences if held.covers(scheme_ref, on)), None)


def freeze_licence(licence: Licence, scheme_ref: str) -> Licence:
    """Return what a certificate of this scheme holds of the licence."""
    return replace(licence, scheme_refs=frozenset({scheme_ref}))


def set_signatory(lsp: Lsp, signatory: Signatory) -> Lsp:
    """Set who signs from now on. Raises WordDenied, TextNotPrintable."""
    require_paper_text(signatory.name, "name")
    require_paper_text(signatory.office, "office")
    require_paper_text(signatory.place, "place")
    return replace(lsp, signatory=signatory)


def check_emblem(content: bytes) -> None:
    """Raise EmblemUnfit unless the file is a PNG of a size that a paper can show."""
    if len(content) > MAX_EMBLEM_BYTES:
        raise EmblemUnfit(TEXTS["details.emblem_too_large"].format(most=MAX_EMBLEM_BYTES // 1024))
    if not content.startswith(_PNG_START):
        raise EmblemUnfit(TEXTS["details.emblem_not_png"])
    width = int.from_bytes(content[16:20], "big")
    height = int.from_bytes(content[20:24], "big")
    is_fit = min(width, height) >= MIN_EMBLEM_SIDE and max(width, height) <= MAX_EMBLEM_SIDE
    if not is_fit:
        raise EmblemUnfit(
            TEXTS["details.emblem_size"].format(least=MIN_EMBLEM_SIDE, most=MAX_EMBLEM_SIDE)
        )


def usable_key_name(lsp: Lsp, purpose: KeyPurpose, year: int) -> str:
    """Return the name of the key of this year: the one that signs, else the next free name.

    Names are `key-2026`, then `key-2026-b`, `key-2026-c` and so on. Raises KeysExhausted.
    """
    first = f"{purpose}-{year}"
    names = [first, *(f"{first}-{letter}" for letter in string.ascii_lowercase[1:])]
    current = newest_key_name(lsp, purpose)
    if current in names:
        return current
    return _next_free_name(lsp, names)


def replacement_key_name(lsp: Lsp, compromised: str, now: datetime, year: int) -> str:
    """Return the name of the key that signs after this one was compromised.

    Raises KeyUnknown, KeysExhausted.
    """
    purpose = purpose_of(require_key(lsp, compromised).name)
    return usable_key_name(report_compromise(lsp, compromised, now), purpose, year)


def purpose_of(key_name: str) -> KeyPurpose:
    """Return the purpose that the name of a key states."""
    return KeyPurpose(key_name.partition("-")[0])


def _next_free_name(lsp: Lsp, names: Sequence[str]) -> str:
    taken = {key.name for key in lsp.keys}
    free = next((name for name in names if name not in taken), None)
    if free is None:
        raise KeysExhausted
    return free


def add_key(lsp: Lsp, name: str, public: str, now: datetime) -> Lsp:
    """Add a public key, which signs from now on; the same key again changes nothing.

    The former keys of its purpose retire. Raises KeyExists when another key has this name.
    """
    for known in lsp.keys:
        if known.name == name:
            if known.public != public:
                raise KeyExists
            return lsp
    former = tuple(_retire(key, purpose_of(name), now) for key in lsp.keys)
    return replace(lsp, keys=(*former, IssuerKey(name=name, public=public, added_at=now)))


def report_compromise(lsp: Lsp, name: str, now: datetime) -> Lsp:
    """Withdraw a key that somebody else may hold; a second report changes nothing.

    Raises KeyUnknown.
    """
    key = require_key(lsp, name)
    if key.compromised_at is not None:
        return lsp
    withdrawn = replace(key, compromised_at=now, retired_at=key.retired_at or now)
    return replace(lsp, keys=tuple(withdrawn if known == key else known for known in lsp.keys))


def require_key(lsp: Lsp, name: str) -> IssuerKey:
    """Return the key of this name. Raises KeyUnknown."""
    for key in lsp.keys:
        if key.name == name:
            return key
    raise KeyUnknown


def is_compromised(lsp: Lsp, name: str) -> bool:
    """Return whether the key of this name was reported as compromised."""
    return any(key.name == name and key.compromised_at is not None for key in lsp.keys)


def newest_key_name(lsp: Lsp, purpose: KeyPurpose) -> str | None:
    """Return the name of the key that signs now: the one added last; None without one."""
    fit = [key.name for key in lsp.keys if key.signs_for(purpose)]
    return fit[-1] if fit else None


def _retire(key: IssuerKey, purpose: KeyPurpose, now: datetime) -> IssuerKey:
    if purpose_of(key.name) is not purpose or key.retired_at is not None:
        return key
    return replace(key, retired_at=now)


def build_did_document(lsp: Lsp) -> dict[str, object]:
    """Return the LSP's DID document, without keys that were compromised."""
    keys = [(key.name, key.public) for key in lsp.keys if key.compromised_at is None]
    return did.build_document(lsp.did, keys)
