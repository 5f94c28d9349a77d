"""The certificate on paper: A4 landscape, one embedded font, a QR code of the check URL.

Equal content gives equal bytes. Neither text nor document information names a place (certification
section 7).
Not here: what may be printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import segno
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm

# Its types are partial.
from reportlab.lib.utils import simpleSplit  # pyright: ignore[reportUnknownVariableType]
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.credentials.public_texts import TEXTS, format_date

Unit = tuple[str, str, str]

LAYOUT = 1
_PAGE = landscape(A4)
_WIDTH = _PAGE[0]
_HEIGHT = _PAGE[1]
_MARGIN = 18 * mm
_REGULAR = "DejaVuSans"
_BOLD = "DejaVuSans-Bold"
_FONTS = Path(__file__).parent / "fonts"
_QR_SIDE = 34 * mm
_QR_X = _WIDTH - _MARGIN - _QR_SIDE - 4 * mm
_QR_Y = 17 * mm
_UNITS_ON_FRONT = 6
_UNITS_ON_BACK = 18
_ROW_HEIGHT = 6.2 * mm
_CELL_SIZE = 8.5
_SMALL_CELL_SIZE = 6.5
_SMALLEST_CELL_SIZE = 3.0
_MAX_CELL_LINES = 2
_GROUP_LENGTH = 4

for _name in (_REGULAR, _BOLD):
    # Its types are partial.
    _font: Any = TTFont(_name, _FONTS / f"{_name}.ttf")
    cast("Any", pdfmetrics).registerFont(_font)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The content of the paper. `units` are triples of code, title and framework."""

    issuer_name: str
    name: str
    scheme: str
    units: tuple[Unit, ...]
    valid_from: datetime
    valid_until: datetime
    check_url: str
    token: str


def qr(check_url: str) -> segno.QRCode:
    """Return the QR code of an address: version 3, level Q, alphanumeric.

    The address is in upper case and has at most 44 letters.
    """
    return segno.make_qr(check_url, error="Q", version=3, mode="alphanumeric", boost_error=False)


def render(paper: Paper) -> bytes:
    """Return the PDF."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=_PAGE, invariant=1, pageCompression=1, lang="id")
    canvas.setTitle(f"{TEXTS['paper.title'].id}: {paper.scheme}")
    canvas.setAuthor(paper.issuer_name)
    canvas.setSubject(TEXTS["paper.title"].id)
    canvas.setCreator("")
    canvas.setProducer("")
    _draw_front(canvas, paper)
    if not _fits_on_front(paper):
        for start in range(0, len(paper.units), _UNITS_ON_BACK):
            canvas.showPage()
            _draw_back(canvas, paper, start)
    canvas.save()
    return out.getvalue()


def _fits_on_front(paper: Paper) -> bool:
    return len(paper.units) <= _UNITS_ON_FRONT


def _draw_front(canvas: Canvas, paper: Paper) -> None:
    title = TEXTS["paper.title"]
    given_to = TEXTS["paper.given_to"]
    competent_in = TEXTS["paper.competent_in"]
    _draw_frame(canvas)
    _draw_line(canvas, _HEIGHT - 27 * mm, 13, _REGULAR, paper.issuer_name)
    _draw_line(canvas, _HEIGHT - 40 * mm, 26, _BOLD, title.id.upper())
    _draw_line(canvas, _HEIGHT - 47 * mm, 10, _REGULAR, title.en)
    _draw_line(canvas, _HEIGHT - 58 * mm, 10, _REGULAR, f"{given_to.id} / {given_to.en}")
    _draw_line(canvas, _HEIGHT - 70 * mm, 22, _BOLD, paper.name)
    _draw_line(canvas, _HEIGHT - 80 * mm, 10, _REGULAR, f"{competent_in.id} / {competent_in.en}")
    _draw_line(canvas, _HEIGHT - 90 * mm, 16, _BOLD, paper.scheme)
    if _fits_on_front(paper):
        _draw_table(canvas, _HEIGHT - 100 * mm, paper.units, 0)
    else:
        overleaf = TEXTS["paper.units_overleaf"].id.format(count=len(paper.units))
        _draw_line(canvas, _HEIGHT - 102 * mm, 10, _REGULAR, overleaf)
    _draw_qr(canvas, paper.check_url, _QR_X, _QR_Y)
    canvas.setFont(_REGULAR, 9)
    for row, text in enumerate(_notes(paper)):
        canvas.drawString(_MARGIN + 4 * mm, 39 * mm - row * 6 * mm, text)


def _notes(paper: Paper) -> list[str]:
    """Return the lines beside the QR code."""
    start = format_date(paper.valid_from.astimezone(WESTERN_INDONESIA).date())
    end = format_date(paper.valid_until.astimezone(WESTERN_INDONESIA).date())
    return [
        TEXTS["paper.valid"].id.format(start=start, end=end),
        TEXTS["paper.only_units"].id,
        _code_line(paper),
        TEXTS["paper.check"].id.format(url=paper.check_url),
    ]


def _code_line(paper: Paper) -> str:
    return f"{TEXTS['paper.code'].id} {_group(paper.token)}"


def _draw_back(canvas: Canvas, paper: Paper, start: int) -> None:
    """Draw a page with the units from `start`."""
    heading = TEXTS["paper.units_of"].id.format(scheme=paper.scheme)
    units = paper.units[start : start + _UNITS_ON_BACK]
    _draw_frame(canvas)
    _draw_line(canvas, _HEIGHT - 26 * mm, 13, _BOLD, heading)
    _draw_table(canvas, _HEIGHT - 36 * mm, units, start)
    _draw_line(canvas, 14 * mm, 8, _REGULAR, _code_line(paper))


def _draw_frame(canvas: Canvas) -> None:
    canvas.setLineWidth(1.2)
    canvas.rect(10 * mm, 10 * mm, _WIDTH - 20 * mm, _HEIGHT - 20 * mm)
    canvas.setLineWidth(0.3)
    canvas.rect(12 * mm, 12 * mm, _WIDTH - 24 * mm, _HEIGHT - 24 * mm)


def _draw_line(canvas: Canvas, y: float, size: float, font: str, text: str) -> None:
    """Draw one centred line, in a smaller size where it would not fit."""
    available = _WIDTH - 2 * _MARGIN
    width = pdfmetrics.stringWidth(text, font, size)
    fitting_size = size * available / width if width else size
    canvas.setFont(font, min(size, fitting_size))
    canvas.drawCentredString(_WIDTH / 2, y, text)


def _draw_table(canvas: Canvas, top: float, units: tuple[Unit, ...], start: int) -> None:
    """Draw the units below their headings; the first one has the number `start` + 1."""
    number_x = _MARGIN + 4 * mm
    code_x = _MARGIN + 12 * mm
    title_x = _MARGIN + 62 * mm
    framework_x = _WIDTH - _MARGIN - 34 * mm
    right = _WIDTH - _MARGIN - 4 * mm
    headings = (
        (number_x, TEXTS["paper.number"].id),
        (code_x, TEXTS["paper.unit_code"].id),
        (title_x, TEXTS["paper.unit_title"].id),
        (framework_x, TEXTS["paper.framework"].id),
    )
    canvas.setFont(_BOLD, 8.5)
    for x, text in headings:
        canvas.drawString(x, top, text)
    canvas.setLineWidth(0.3)
    canvas.line(number_x, top - 2 * mm, right, top - 2 * mm)
    for row, (code, title, framework) in enumerate(units):
        y = top - (row + 1) * _ROW_HEIGHT
        _draw_cell(canvas, number_x, y, str(start + row + 1), code_x - number_x)
        _draw_cell(canvas, code_x, y, code, title_x - code_x - 2 * mm)
        _draw_cell(canvas, title_x, y, title, framework_x - title_x - 2 * mm)
        _draw_cell(canvas, framework_x, y, framework, right - framework_x)


def _draw_cell(canvas: Canvas, x: float, y: float, text: str, width: float) -> None:
    """Draw one cell: on one line, else on two smaller ones, else in a still smaller size."""
    if pdfmetrics.stringWidth(text, _REGULAR, _CELL_SIZE) <= width:
        canvas.setFont(_REGULAR, _CELL_SIZE)
        canvas.drawString(x, y, text)
        return
    size = _SMALL_CELL_SIZE
    lines = _split(text, size, width)
    while len(lines) > _MAX_CELL_LINES and size > _SMALLEST_CELL_SIZE:
        size -= 0.5
        lines = _split(text, size, width)
    canvas.setFont(_REGULAR, size)
    for row, line in enumerate(lines):
        canvas.drawString(x, y + 1.2 * mm - row * (size + 0.4), line)


def _split(text: str, size: float, width: float) -> list[str]:
    return [str(line) for line in cast("list[object]", simpleSplit(text, _REGULAR, size, width))]


def _draw_qr(canvas: Canvas, check_url: str, x: float, y: float) -> None:
    """Draw the QR code, each run of dark modules of a row as one rectangle."""
    rows = [list(row) for row in qr(check_url).matrix]
    side = _QR_SIDE / len(rows)
    for row, modules in enumerate(rows):
        row_y = y + _QR_SIDE - (row + 1) * side
        column = 0
        while column < len(modules):
            length = 0
            while column + length < len(modules) and modules[column + length]:
                length += 1
            if length:
                canvas.rect(x + column * side, row_y, length * side, side, stroke=0, fill=1)
            column += length + 1


def _group(token: str) -> str:
    """Return the token in groups of four letters, joined by dashes."""
    starts = range(0, len(token), _GROUP_LENGTH)
    return "-".join(token[start : start + _GROUP_LENGTH] for start in starts)
