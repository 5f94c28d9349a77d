"""The certificate on paper: A4 landscape, a front, then the transcript of units.

Equal content gives equal bytes. It names the LSP, its licence, its town and its signatory, and
nothing of the person's course, of the place of assessment, or of where the person was
(certification 0.9, section 7).
Not here: the layout (certificate.typ), and what may be printed (paper_rules).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import segno

from chassis.documents.pdf import render_pdf
from chassis.texts import Text
from services.certification.certificates.rules import Numbers
from services.certification.credentials.document import Unit
from services.certification.credentials.public_texts import (
    TEXTS,
    first_day,
    format_date,
    format_period,
)
from services.certification.lsps.rules import Signatory

LAYOUT = 2
_TEMPLATE = Path(__file__).with_name("certificate.typ")
_WORDS = (
    "title",
    "emblem",
    "licence",
    "given_to",
    "competent_in",
    "period",
    "units_of",
    "number",
    "unit_code",
    "unit_title",
    "framework",
    "only_units",
    "qr",
    "code",
    "page",
)
_GROUP_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The content of the paper. Without a signatory the line for a signature stays empty."""

    issuer_name: str
    licence_no: str
    name: str
    scheme: str
    scheme_en: str
    units: tuple[Unit, ...]
    numbers: Numbers
    signatory: Signatory | None
    valid_from: datetime
    valid_until: datetime
    check_url: str
    token: str
    emblem: bytes | None = None


def qr(check_url: str) -> segno.QRCode:
    """Return the QR code of an address: version 3, level Q, alphanumeric.

    The address is in upper case and has at most 44 letters.
    """
    return segno.make_qr(check_url, error="Q", version=3, mode="alphanumeric", boost_error=False)


def render(paper: Paper) -> bytes:
    """Return the PDF. Raises DocumentNotPrintable."""
    images = {"qr": _draw_qr(paper.check_url)}
    if paper.emblem is not None:
        images["emblem"] = paper.emblem
    return render_pdf(_TEMPLATE, _build_data(paper), images)


def _build_data(paper: Paper) -> dict[str, Any]:
    """Return the data of the template: its words in both languages, and the values."""
    issued_on = first_day(paper.valid_from)
    host = urlsplit(paper.check_url.lower()).netloc
    signatory = paper.signatory or Signatory(name="", office="", place="")
    day = format_date(issued_on)
    place_and_date = TEXTS["paper.place_and_date"].id.format(place=signatory.place, day=day)
    words = {word: TEXTS[f"paper.{word}"] for word in _WORDS}
    words["covers"] = _fill("paper.covers", count=len(paper.units))
    words["check"] = _fill("paper.check", host=host)
    words["period_value"] = format_period("paper.period_value", paper.valid_from, paper.valid_until)
    return {
        "title": f"{TEXTS['paper.title'].id}: {paper.scheme}",
        "date": [issued_on.year, issued_on.month, issued_on.day],
        "words": {word: _both(text) for word, text in words.items()},
        "issuer_name": paper.issuer_name,
        "licence_no": paper.licence_no,
        "numbers": _label_numbers(paper.numbers),
        "name": paper.name,
        "scheme": {"title": paper.scheme, "title_en": paper.scheme_en},
        "facts": _list_facts(paper),
        "units": [
            {
                "code": unit.code,
                "title": unit.title,
                "title_en": unit.title_en,
                "framework": unit.framework,
            }
            for unit in paper.units
        ],
        "place_and_date": place_and_date if signatory.place else day,
        "signatory": signatory.name,
        "office": signatory.office,
        "check_url": paper.check_url,
        "code": _group(paper.token),
        "emblem": None,
    }


def _label_numbers(numbers: Numbers) -> list[dict[str, Any]]:
    """Return the numbers that BNSP gave, with their labels."""
    values = {
        "certificate_no": numbers.certificate_no,
        "registration_no": numbers.registration_no,
        "blank_no": numbers.blank_no,
    }
    return [
        {"label": _both(TEXTS[f"paper.{number}"]), "value": value}
        for number, value in values.items()
        if value
    ]


def _list_facts(paper: Paper) -> list[dict[str, Any]]:
    """Return the lines above the transcript."""
    facts: list[dict[str, Any]] = [
        {"label": _both(TEXTS["paper.name"]), "value": paper.name},
        {
            "label": _both(TEXTS["paper.scheme"]),
            "value": paper.scheme,
            "value_en": paper.scheme_en,
        },
        {"label": _both(TEXTS["paper.issuer"]), "value": paper.issuer_name},
    ]
    return facts + _label_numbers(paper.numbers)


def _fill(code: str, **values: object) -> Text:
    text = TEXTS[code]
    return Text(id=text.id.format(**values), en=text.en.format(**values))


def _both(text: Text) -> dict[str, str]:
    return {"id": text.id, "en": text.en}


def _draw_qr(check_url: str) -> bytes:
    out = io.BytesIO()
    qr(check_url).save(out, kind="svg", border=0, xmldecl=False, dark="#000")
    return out.getvalue()


def _group(token: str) -> str:
    """Return the token in groups of four letters, joined by dashes."""
    starts = range(0, len(token), _GROUP_LENGTH)
    return "-".join(token[start : start + _GROUP_LENGTH] for start in starts)
