"""The normal form of texts, over all of Unicode."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from services.training.text import fold, normalise


@given(st.text())
def test_normal_text_is_composed_visible_and_does_not_change_again(text: str) -> None:
    normal = normalise(text)
    assert normal == normalise(normal) == unicodedata.normalize("NFC", normal)
    assert not {unicodedata.category(letter) for letter in normal} & {"Cc", "Cf", "Cs"}
    assert normal == normal.strip()


def test_texts_that_look_alike_are_folded_alike() -> None:
    assert fold("  RENE\u0301\u200b  Sitompul ") == fold("René\u00a0sitompul")
