"""The language of the terminal: English if BINA_LANG or the locale says so, else Indonesian.

The launcher imports this module before anything is installed: standard library only.
Not here: the sentences, which are written in both languages where they are printed.
"""

import os
from typing import NamedTuple

_VARIABLES = ("BINA_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def is_english() -> bool:
    """Return whether BINA_LANG or else the locale of messages begins with `en`.

    As in POSIX (XBD, section 8.2), the first variable that is set and not empty decides.
    """
    values = [os.environ.get(name, "") for name in _VARIABLES]
    locale = next((value for value in values if value), "")
    return locale.startswith("en")


def choose(indonesian: str, english: str) -> str:
    """Return the sentence in the language of the terminal."""
    return english if is_english() else indonesian


class Bilingual(NamedTuple):
    """A sentence in both languages, for a reader whose language is not known yet."""

    indonesian: str = ""
    english: str = ""

    def __str__(self) -> str:
        return choose(self.indonesian, self.english)
