"""The certificate on paper: A4 landscape, one embedded font, a QR with the short check address (certification section 7). Not here: what may be printed.

The same content gives the same bytes. Neither text nor document information names a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import cast

import segno
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit  # pyright: ignore[reportUnknownVariableType]  # it ships half a stub
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from services.certification import texts

LAYOUT = 1
_WIDTH, _HEIGHT = landscape(A4)
_REGULAR, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_QR_SIDE = 34 * mm
_MARGIN = 18 * mm
_UNITS_ON_FRONT = 6
_UNITS_ON_BACK = 18
_ROW = 6.2 * mm
_USUAL, _SMALL, _SMALLEST, _CELL_LINES = 8.5, 6.5, 3.0, 2
_ZONE = timezone(timedelta(hours=7))

for _name in (_REGULAR, _BOLD):
    pdfmetrics.registerFont(TTFont(_name, Path(__file__).parent / "fonts" / f"{_name}.ttf"))  # pyright: ignore[reportUnknownMemberType]  # it ships half a stub


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What stands on the paper. `units` are (code, title, framework)."""

    issuer_name: str
    name: str
    scheme: str
    units: tuple[tuple[str, str, str], ...]
    valid_from: datetime
    valid_until: datetime
    check_url: str
    token: str


def qr(check_url: str) -> segno.QRCode:
    """The QR of an upper-case address of at most 44 letters: version 3, level Q, alphanumeric."""
    return segno.make_qr(check_url, error="Q", version=3, mode="alphanumeric", boost_error=False)


def render(paper: Paper) -> bytes:
    """The PDF."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1, lang="id")
    canvas.setTitle(f"{texts.PAPER_TITLE}: {paper.scheme}")
    canvas.setAuthor(paper.issuer_name)
    canvas.setSubject(texts.PAPER_TITLE)
    canvas.setCreator("")
    canvas.setProducer("")
    _front(canvas, paper)
    rest = paper.units if len(paper.units) > _UNITS_ON_FRONT else ()
    for start in range(0, len(rest), _UNITS_ON_BACK):
        canvas.showPage()
        _frame(canvas)
        _line(
            canvas, _HEIGHT - 26 * mm, 13, _BOLD, texts.PAPER_UNITS_OF.format(scheme=paper.scheme)
        )
        _table(canvas, _HEIGHT - 36 * mm, rest[start : start + _UNITS_ON_BACK], start)
        _line(canvas, 14 * mm, 8, _REGULAR, f"{texts.PAPER_CODE} {_grouped(paper.token)}")
    canvas.save()
    return out.getvalue()


def _front(canvas: Canvas, paper: Paper) -> None:
    _frame(canvas)
    _line(canvas, _HEIGHT - 27 * mm, 13, _REGULAR, paper.issuer_name)
    _line(canvas, _HEIGHT - 40 * mm, 26, _BOLD, texts.PAPER_TITLE.upper())
    _line(canvas, _HEIGHT - 47 * mm, 10, _REGULAR, texts.PAPER_TITLE_ENGLISH)
    _line(canvas, _HEIGHT - 58 * mm, 10, _REGULAR, texts.PAPER_GIVEN_TO)
    _line(canvas, _HEIGHT - 70 * mm, 22, _BOLD, paper.name)
    _line(canvas, _HEIGHT - 80 * mm, 10, _REGULAR, texts.PAPER_COMPETENT_IN)
    _line(canvas, _HEIGHT - 90 * mm, 16, _BOLD, paper.scheme)
    if len(paper.units) <= _UNITS_ON_FRONT:
        _table(canvas, _HEIGHT - 100 * mm, paper.units, 0)
    else:
        _line(
            canvas,
            _HEIGHT - 102 * mm,
            10,
            _REGULAR,
            texts.PAPER_UNITS_OVERLEAF.format(count=len(paper.units)),
        )
    _matrix(canvas, paper.check_url, _WIDTH - _MARGIN - _QR_SIDE - 4 * mm, 17 * mm)
    canvas.setFont(_REGULAR, 9)
    for row, text in enumerate(
        (
            texts.PAPER_VALID.format(
                start=texts.format_date(paper.valid_from.astimezone(_ZONE).date()),
                end=texts.format_date(paper.valid_until.astimezone(_ZONE).date()),
            ),
            texts.PAPER_ONLY_UNITS,
            f"{texts.PAPER_CODE} {_grouped(paper.token)}",
            texts.PAPER_CHECK.format(url=paper.check_url),
        )
    ):
        canvas.drawString(_MARGIN + 4 * mm, 39 * mm - row * 6 * mm, text)


def _frame(canvas: Canvas) -> None:
    canvas.setLineWidth(1.2)
    canvas.rect(10 * mm, 10 * mm, _WIDTH - 20 * mm, _HEIGHT - 20 * mm)
    canvas.setLineWidth(0.3)
    canvas.rect(12 * mm, 12 * mm, _WIDTH - 24 * mm, _HEIGHT - 24 * mm)


def _line(canvas: Canvas, y: float, size: float, font: str, text: str) -> None:
    """One centred line, smaller where it would not fit."""
    room = _WIDTH - 2 * _MARGIN
    width = pdfmetrics.stringWidth(text, font, size)
    canvas.setFont(font, min(size, size * room / width) if width else size)
    canvas.drawCentredString(_WIDTH / 2, y, text)


def _table(canvas: Canvas, top: float, units: tuple[tuple[str, str, str], ...], start: int) -> None:
    left, code, title, framework, right = (
        _MARGIN + 4 * mm,
        _MARGIN + 12 * mm,
        _MARGIN + 62 * mm,
        _WIDTH - _MARGIN - 34 * mm,
        _WIDTH - _MARGIN - 4 * mm,
    )
    canvas.setFont(_BOLD, 8.5)
    for x, text in (
        (left, texts.PAPER_NUMBER),
        (code, texts.PAPER_UNIT_CODE),
        (title, texts.PAPER_UNIT_TITLE),
        (framework, texts.PAPER_FRAMEWORK),
    ):
        canvas.drawString(x, top, text)
    canvas.setLineWidth(0.3)
    canvas.line(left, top - 2 * mm, right, top - 2 * mm)
    for row, unit in enumerate(units):
        y = top - (row + 1) * _ROW
        _cell(canvas, left, y, str(start + row + 1), code - left)
        _cell(canvas, code, y, unit[0], title - code - 2 * mm)
        _cell(canvas, title, y, unit[1], framework - title - 2 * mm)
        _cell(canvas, framework, y, unit[2], right - framework)


def _cell(canvas: Canvas, x: float, y: float, text: str, room: float) -> None:
    """One cell, on two smaller lines where one would not fit, and smaller still where two would not."""
    if pdfmetrics.stringWidth(text, _REGULAR, _USUAL) <= room:
        canvas.setFont(_REGULAR, _USUAL)
        canvas.drawString(x, y, text)
        return
    size, lines = _SMALL, _split(text, _SMALL, room)
    while len(lines) > _CELL_LINES and size > _SMALLEST:
        size -= 0.5
        lines = _split(text, size, room)
    canvas.setFont(_REGULAR, size)
    for row, line in enumerate(lines):
        canvas.drawString(x, y + 1.2 * mm - row * (size + 0.4), line)


def _split(text: str, size: float, room: float) -> list[str]:
    return [str(line) for line in cast("list[object]", simpleSplit(text, _REGULAR, size, room))]


def _matrix(canvas: Canvas, check_url: str, x: float, y: float) -> None:
    rows = [list(row) for row in qr(check_url).matrix]
    side = _QR_SIDE / len(rows)
    for row, modules in enumerate(rows):
        column = 0
        while column < len(modules):
            run = 0
            while column + run < len(modules) and modules[column + run]:
                run += 1
            if run:
                canvas.rect(
                    x + column * side,
                    y + _QR_SIDE - (row + 1) * side,
                    run * side,
                    side,
                    stroke=0,
                    fill=1,
                )
            column += run + 1


def _grouped(token: str) -> str:
    return "-".join(token[start : start + 4] for start in range(0, len(token), 4))
