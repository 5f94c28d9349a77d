"""The limits of an upload, which hold before its content is read."""

from __future__ import annotations

import json
import time

import pytest

from services.certification.credentials import reading
from tests.certification.credentials.factories import Issuer

BAD = {
    "over 64 KB": b'{"a": "' + b"x" * 70_000 + b'"}',
    "1 MB": b'{"a": "' + b"x" * 1_000_000 + b'"}',
    "depth 21": b'{"a":' * 21 + b"1" + b"}" * 21,
    "depth 100": b"[" * 100 + b"]" * 100,
    "60,000 brackets": b"[" * 60_000,
    "60,000 quotes": b'\\"' * 30_000,
    "a key twice": b'{"a": 1, "a": 2}',
    "a key twice inside": b'{"a": [{"b": 1, "b": 1}]}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "2^53+1": b'{"a": 9007199254740993}',
    "a long number": b'{"a": ' + b"9" * 60_000 + b"}",
    "1e400": b'{"a": 1e400}',
    "1e17": b'{"a": 1e17}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "half a surrogate": b'{"a": "\\ud800"}',
    "not NFC": '{"a": "e\u0301"}'.encode(),
    "a key not in NFC": '{"e\u0301": 1}'.encode(),
    "a list": b"[1]",
    "a word": b'"teks"',
    "nothing": b"",
    "half a document": b'{"a": ',
}


@pytest.mark.scenario("C3/limits")
@pytest.mark.parametrize("name", BAD)
def test_a_document_outside_the_limits_is_malformed_within_50_ms(name: str) -> None:
    began = time.process_time()
    with pytest.raises(reading.DocumentMalformed) as refused:
        reading.parse_document(BAD[name])
    assert time.process_time() - began < 0.05
    assert (refused.value.status, refused.value.code) == (400, "malformed")


def test_a_certificate_and_the_widest_allowed_values_are_read() -> None:
    credential = Issuer().certificate()
    assert reading.parse_document(json.dumps(credential).encode()) == credential
    assert reading.parse_document(b'{"a": 9007199254740992, "b": -1.5}') == {"a": 2**53, "b": -1.5}
    assert reading.parse_document(b'{"a":' * 19 + b"[]" + b"}" * 19)


def test_brackets_inside_texts_do_not_count_as_depth() -> None:
    assert reading.parse_document(json.dumps({"a": "[{" * 50 + '\\"[[['}).encode())
