"""The words that nobody may read on the certificate host (certification.md 12.1, 14.1). Not here: the services' own texts."""

import re

_WORDS = (
    "bapas",
    "bina",
    "kemandirian",
    "kemenimipas",
    "kemenkumham",
    "lapas",
    "lpka",
    "napi",
    "narapidana",
    "pas",
    "pemasyarakatan",
    "pembinaan",
    "penjara",
    "rutan",
    "tahanan",
    "warga binaan",
    "wbp",
)
_DENIED = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(_WORDS)})(?![a-z0-9])", re.IGNORECASE)


def is_neutral(text: str) -> bool:
    """Whether none of the words stands in the text as a whole word."""
    return _DENIED.search(text) is None
