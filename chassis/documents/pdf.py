"""PDF from a Typst template and data: PDF/A-2a and PDF/UA-1, equal input gives equal bytes.

The fonts lie in `fonts/`, every PDF embeds those that it uses, and a template can use no other.
A template reads no network and no file outside its folder.
Not here: the templates, which lie with the services.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typst

from chassis.errors import Refused
from chassis.texts import TEXTS

FONTS = Path(__file__).parent / "fonts"
STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]
# A template sets the date of its document. The moment of the rendering is nowhere.
_NO_MOMENT = 0
# Parts of Typst's messages on the data; any other message is a fault of the template.
_FAULTS_OF_DATA = ("could not be displayed", "image")


class DocumentNotPrintable(Refused):
    """A text has a letter that no font of ours has, or an image cannot be read."""

    title = TEXTS["errors.document_not_printable"]


class TemplateBroken(Exception):
    """The template fails with these data. The message names no value of the data."""


def render_pdf(
    template: Path, data: Mapping[str, Any], images: Mapping[str, bytes] | None = None
) -> bytes:
    """Return the PDF of the template with these data. It takes tens of milliseconds.

    The template reads the data with `json(bytes(sys.inputs.data))`, so that no value is markup. An
    image (PNG or SVG) is the array of its bytes. Raises DocumentNotPrintable, TemplateBroken.
    """
    content = {**data, **{name: list(image) for name, image in (images or {}).items()}}
    try:
        return typst.compile(
            template,
            root=template.parent,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"data": json.dumps(content, ensure_ascii=False)},
            pdf_standards=STANDARDS,
            timestamp=_NO_MOMENT,
        )
    except typst.TypstError as error:
        # The message quotes the text, which may be a name.
        if any(part in error.message for part in _FAULTS_OF_DATA):
            raise DocumentNotPrintable(TEXTS["details.odd_letter_or_picture"]) from None
        raise TemplateBroken(template.name) from None


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
