"""What is allowed: the names of people that may be signed (certification R4, R7)."""

from __future__ import annotations

import re
import unicodedata

from chassis.errors import Refused

MAX_NAME_LENGTH = 120
_PLACEHOLDERS = frozenset({"undefined", "null", "none", "nan", "nil", "n/a", "na", "-", "--", "."})
_SPACES = re.compile(r" {2,}")


class NameUnfit(Refused):
    """The name cannot be signed; `reason` says why, the name itself is never told."""

    code = "name_unfit"
    title = "Nama tidak dapat ditulis pada sertifikat"
    field = "name"


def clean_name(name: str) -> str:
    """The name in NFC with single spaces, or NameUnfit.

    Control, bidi and zero-width characters are refused: canonicalisers disagree on them and a reader cannot see them. So are letters that are not
    Latin: an identity card has none, the paper's font may lack them, and some look like others.
    """
    normal = unicodedata.normalize("NFC", name)
    if any(
        unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        for letter in normal
    ):
        raise NameUnfit("Nama memuat karakter yang tidak terlihat.", reason="invisible_character")
    clean = _SPACES.sub(
        " ", "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in normal)
    ).strip()
    if len(clean) > MAX_NAME_LENGTH:
        raise NameUnfit(f"Nama lebih panjang dari {MAX_NAME_LENGTH} huruf.", reason="too_long")
    if any(
        letter.isalpha()
        and not unicodedata.name(letter, "").startswith(("LATIN", "MODIFIER LETTER"))
        for letter in clean
    ):
        raise NameUnfit("Nama memuat huruf selain huruf Latin.", reason="other_script")
    if not any(letter.isalpha() for letter in clean) or all(
        word.casefold() in _PLACEHOLDERS for word in clean.split()
    ):
        raise NameUnfit("Nama kosong atau bukan nama.", reason="placeholder")
    return clean
