"""Multibase text: it decodes what it encoded, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies

from services.certification.credentials import multibase


@settings(deadline=None)
@given(strategies.binary(max_size=64))
def test_base58_decodes_what_it_encoded(data: bytes) -> None:
    assert multibase.decode_base58(multibase.encode_base58(data)) == data


@settings(deadline=None)
@given(strategies.binary(max_size=200))
def test_base64url_decodes_what_it_encoded(data: bytes) -> None:
    assert multibase.decode_base64url(multibase.encode_base64url(data)) == data


@pytest.mark.parametrize("text", ["", "m123", "z0", "zO", "z" + "1" * 129])
def test_base58_refuses_text_that_it_would_not_have_encoded(text: str) -> None:
    with pytest.raises(multibase.NotMultibase):
        multibase.decode_base58(text)


@pytest.mark.parametrize("text", ["", "zabc", "uAB=", "uA", "uAB", "u*abc", "uAA\n"])
def test_base64url_refuses_text_that_it_would_not_have_encoded(text: str) -> None:
    with pytest.raises(multibase.NotMultibase):
        multibase.decode_base64url(text)


def test_a_multikey_of_another_kind_or_length_is_refused() -> None:
    for data in (b"\xed\x01" + b"k" * 31, b"\x12\x00" + b"k" * 32, b""):
        with pytest.raises(multibase.NotMultibase):
            multibase.decode_multikey(multibase.encode_base58(data))
