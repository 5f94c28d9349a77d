"""Coded reasons why the rules of assessment refuse (certification section 8).

Not here: the rules, which return all their reasons at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chassis.errors import Refused
from chassis.texts import Text
from services.certification.settings import TEXTS


class Reason(StrEnum):
    """Why an assessment, a decision or a certificate is refused.

    The name is the stable code. The value is the Indonesian text; panel decisions store it, so a
    changed text needs a migration.
    """

    UNIT_NOT_COMPETENT = "Ada unit kompetensi yang belum dinyatakan kompeten"
    ASSESSOR_TRAINED_CANDIDATE = "Asesor pernah melatih asesi ini"
    ASSESSOR_CONFLICT = (
        "Asesor belum menyatakan bebas benturan kepentingan, atau menyatakan ada benturan"
    )
    MET_EXPIRED = "Sertifikat asesor (MET) tidak berlaku pada tanggal itu"
    ASSESSOR_OUT_OF_SCOPE = "Skema di luar lingkup asesor pada LSP ini"
    VENUE_NOT_VERIFIED = "TUK belum diverifikasi untuk tanggal itu"
    VENUE_OUT_OF_SCOPE = "Skema di luar lingkup TUK"
    PANEL_NOT_INDEPENDENT = "Anggota pleno adalah asesor dari asesmen yang sama"
    RATIO_EXCEEDED = "Jumlah asesi per asesor melebihi ketentuan skema"
    SCHEDULE_CLASH = "Asesor atau TUK tidak tersedia pada tanggal itu"
    APPLICATION_INCOMPLETE = "APL-01 atau APL-02 belum lengkap"
    LICENCE_EXPIRED = "Lisensi LSP tidak berlaku pada tanggal itu"
    SCHEME_NOT_LICENSED = "Skema tidak tercakup dalam lisensi LSP"
    NAME_NOT_CONFIRMED = "Nama asesi belum dikonfirmasi"
    NAME_NOT_SHOWN_TODAY = "Nama asesi hanya tampil pada hari asesmen dan sehari sebelumnya"
    NAME_UNAVAILABLE = "Nama orang ini tidak tersedia"
    NOT_RECOMMENDED_YET = "Rekomendasi asesor belum ada"
    ALREADY_DECIDED = "Permohonan ini sudah diputuskan"
    APPLICATION_UNKNOWN = "Permohonan tidak ditemukan"
    ISSUER_KEY_MISSING = "LSP belum mempunyai kunci penerbit"


class RulesBroken(Refused):
    """At least one rule refuses; `reasons` is a list of {code, message}."""

    code = "rules_broken"
    title = TEXTS["errors.rules_broken"]

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(dict.fromkeys(reasons))
        texts = [text_of(reason) for reason in self.reasons]
        detail = Text(
            id="; ".join(text.id for text in texts), en="; ".join(text.en for text in texts)
        )
        listed = [{"code": reason.name, "message": text_of(reason)} for reason in self.reasons]
        super().__init__(detail, reasons=listed)


def text_of(reason: Reason) -> Text:
    """Return the text that an officer reads."""
    return TEXTS[f"reasons.{reason.name}"]


def describe(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Return the reasons as the API shows them, in the language of the reader."""
    return [{"code": reason.name, "message": text_of(reason).localised} for reason in reasons]


def require_no_reasons(reasons: Iterable[Reason]) -> None:
    """Raise RulesBroken when there is any reason."""
    broken = list(reasons)
    if broken:
        raise RulesBroken(broken)
