"""Hypothesis strategies of the model."""

from __future__ import annotations

from hypothesis import strategies as st

KEYS = ("k0", "k1")
SUBJECTS = ("s0", "s1", "s2")
OWN = "own"

facts = st.lists(
    st.tuples(st.sampled_from((*KEYS, OWN)), st.sampled_from(SUBJECTS)), min_size=1, max_size=4
)
places = st.integers(0, 1_000)
names = st.sampled_from(("A", "B"))
