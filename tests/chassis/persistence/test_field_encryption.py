"""Encrypted fields: the ring of keys, damage, other owners, and the forms that are stored."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from chassis.files.encryption import FileKeys
from chassis.persistence.field_encryption import (
    EncryptedField,
    FieldCipher,
    FieldUnreadable,
    KeyRing,
    KeyUnknown,
    LookupKeys,
    WrappedKey,
)

FIRST = b"\x0a" * 32
SECOND = b"\x0b" * 32
THIRD = b"\x0c" * 32
OWNER = "document/1/name"

# Made by the code of training and certification before they shared this module.
NIK = "9903014503901234"
NIK_OWNER = "0193c7a2-0000-7000-8000-000000000001"
STORED_NIK = EncryptedField(
    key_id="f1946248",
    wrapped_key="eM5cfwx4wRvlfWbDLxJICxV7Lh6X8cGD9XEYEdxS16+LpXqSRAUecg==",
    nonce="uPHbPyPh47DxCa5C",
    ciphertext="htBbbTFY0co/jfcOVa6oQrjw+w8k/Dh9dgr5wpRRKPU=",
)
STORED_LOOKUP = "3febf8d30ef6102bb0dc5c8115b530466aacfd755d4242cd200ae84ee1dbcec6"
STORED_LOOKUP_KEY = "ea01dcb1"
NAME_KEY = b"\x22" * 32
NAME_OWNER = "application/0193c7a2-0000-7000-8000-000000000002/name"
STORED_NAME = "49c5ded8.p1LtN6z3q5jY68U+gWipmMZTF7qPIc9f1CMp0Ew3BDd1ncZWPRVI"
STORED_FILE_KEY = WrappedKey(
    key_id="f1946248",
    wrapped=b64decode("B2t4oeQP5DCcN5ORjCp6ySAAGhGMOW8IXI72n8XnC7ntITBbmTuuyQ=="),
)
STORED_PART = b64decode("kulfJ07mTo22YcRot4XFou5XjO335FeHtdgjRTeTA1FHq574")


def ring(current: bytes, *former: bytes) -> KeyRing:
    return KeyRing("master_key", current, former)


def test_a_nik_that_is_stored_today_stays_readable() -> None:
    assert FieldCipher(ring(FIRST)).decrypt(STORED_NIK, NIK_OWNER) == NIK


def test_a_look_up_value_that_is_stored_today_is_found() -> None:
    keys = LookupKeys(ring(SECOND))
    assert (keys.value(NIK), keys.key_id) == (STORED_LOOKUP, STORED_LOOKUP_KEY)


def test_a_name_that_is_stored_today_stays_readable() -> None:
    assert FieldCipher(ring(NAME_KEY)).decrypt_text(STORED_NAME, NAME_OWNER) == "Siti Aminah"


def test_a_file_part_that_is_stored_today_stays_readable() -> None:
    keys = FileKeys(ring(THIRD, FIRST))
    assert keys.decrypt(STORED_FILE_KEY, STORED_PART, "part at 0") == b"NIK;Nama"


def test_a_name_in_the_former_form_gets_a_wrapped_data_key() -> None:
    cipher = FieldCipher(ring(NAME_KEY))
    renewed = cipher.renew_text(STORED_NAME, NAME_OWNER)
    key_id, wrapped_key, _, _ = renewed.split(".")
    assert (key_id, len(b64decode(wrapped_key))) == (cipher.ring.key_id, 40)
    assert cipher.decrypt_text(renewed, NAME_OWNER) == "Siti Aminah"


@given(st.text())
def test_a_text_is_read_back_and_not_stored_in_the_clear(text: str) -> None:
    cipher = FieldCipher(ring(FIRST))
    stored = cipher.encrypt_to_text(text, OWNER)
    assert cipher.decrypt_text(stored, OWNER) == text
    assert stored != cipher.encrypt_to_text(text, OWNER)


def test_every_former_key_reads_and_the_current_one_writes() -> None:
    first = FieldCipher(ring(FIRST)).encrypt("a", OWNER)
    second = FieldCipher(ring(SECOND, FIRST)).encrypt("b", OWNER)
    cipher = FieldCipher(ring(THIRD, SECOND, FIRST))
    assert [cipher.decrypt(value, OWNER) for value in (first, second)] == ["a", "b"]
    assert cipher.encrypt("c", OWNER).key_id == ring(THIRD).key_id


def test_a_renewed_value_needs_the_current_key_alone() -> None:
    old = FieldCipher(ring(FIRST)).encrypt("a", OWNER)
    renewed = FieldCipher(ring(SECOND, FIRST)).renew(old, OWNER)
    assert FieldCipher(ring(SECOND)).decrypt(renewed, OWNER) == "a"
    with pytest.raises(KeyUnknown):
        FieldCipher(ring(FIRST)).decrypt(renewed, OWNER)


def test_renewing_a_value_of_the_current_key_changes_nothing() -> None:
    cipher = FieldCipher(ring(SECOND, FIRST))
    value = cipher.encrypt("a", OWNER)
    assert cipher.renew(value, OWNER) == value


def test_a_value_of_another_owner_is_unreadable() -> None:
    cipher = FieldCipher(ring(FIRST))
    with pytest.raises(FieldUnreadable):
        cipher.decrypt(cipher.encrypt("a", "document/1/name"), "document/2/name")


@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "ciphertext"])
def test_a_changed_value_is_unreadable(part: str) -> None:
    cipher = FieldCipher(ring(FIRST))
    value = cipher.encrypt("a", OWNER)
    data = bytearray(b64decode(getattr(value, part)))
    data[-1] ^= 1
    changed = replace(value, **{part: b64encode(data).decode()})
    with pytest.raises(FieldUnreadable):
        cipher.decrypt(changed, OWNER)


@pytest.mark.parametrize(
    "text",
    ["", ".", "49c5ded8.%%", "49c5ded8.AAAA", "f1946248.x.y", "f1946248.AA.AA.AA", "a.b.c.d.e"],
)
def test_a_text_that_is_no_value_is_unreadable(text: str) -> None:
    with pytest.raises(FieldUnreadable):
        FieldCipher(ring(FIRST, NAME_KEY)).decrypt_text(text, OWNER)


def test_a_value_cannot_claim_to_have_no_wrapped_key() -> None:
    value = FieldCipher(ring(FIRST)).encrypt("a", OWNER)
    with pytest.raises(FieldUnreadable):
        FieldCipher(ring(FIRST)).decrypt(replace(value, wrapped_key=""), OWNER)


def test_a_search_uses_every_key_and_a_new_value_the_current_one() -> None:
    keys = LookupKeys(ring(THIRD, SECOND, FIRST))
    each = [LookupKeys(ring(key)).value(NIK) for key in (THIRD, SECOND, FIRST)]
    assert (keys.values(NIK), keys.value(NIK)) == (each, each[0])


def test_a_key_that_is_listed_twice_counts_once() -> None:
    assert ring(FIRST, FIRST, SECOND, SECOND).former_ids == (ring(SECOND).key_id,)


def test_a_ring_is_read_from_settings_with_one_former_key_a_line() -> None:
    former = SecretStr(f"{FIRST.hex()}\n{SECOND.hex()}\n")
    made = KeyRing.of("master_key", SecretStr(THIRD.hex()), former)
    assert made.key_ids == ring(THIRD, FIRST, SECOND).key_ids
    assert KeyRing.of("master_key", SecretStr(THIRD.hex()), SecretStr("")).former_ids == ()


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="master_key"):
        ring(FIRST, b"short")
