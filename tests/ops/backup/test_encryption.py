"""Keys of readers and holders as age files, and a key split into two shares."""

from pathlib import Path
from unittest.mock import patch

import pytest

from ops.backup import encryption
from ops.backup.encryption import NotForUs
from ops.errors import OperatorError


def test_a_private_key_may_have_a_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "holder"
    with (
        patch("sys.stdin.isatty", return_value=True),
        patch("getpass.getpass", return_value="rahasia"),
    ):
        name = encryption.make_pair(file)
        assert "BEGIN AGE ENCRYPTED FILE" in file.read_text()
        assert encryption.name_of(encryption.private_key(file).to_public()) == name
    assert encryption.name_of(encryption.public_key(Path(f"{file}.pub"))) == name


def test_a_wrong_passphrase_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "holder"
    with (
        patch("sys.stdin.isatty", return_value=True),
        patch("getpass.getpass", return_value="rahasia"),
    ):
        encryption.make_pair(file)
    with (
        patch("getpass.getpass", return_value="salah"),
        pytest.raises(OperatorError, match="frasa sandinya salah"),
    ):
        encryption.private_key(file)


def test_a_public_key_is_no_private_key(tmp_path: Path) -> None:
    encryption.make_pair(tmp_path / "holder")
    with pytest.raises(OperatorError, match="bukan kunci pemegang"):
        encryption.private_key(tmp_path / "holder.pub")
    with pytest.raises(OperatorError, match="bukan kunci publik pemegang"):
        encryption.public_key(tmp_path / "holder")


def test_an_existing_key_is_not_overwritten(tmp_path: Path) -> None:
    encryption.make_pair(tmp_path / "holder")
    before = (tmp_path / "holder").read_text()
    with pytest.raises(OperatorError, match="sudah ada"):
        encryption.make_pair(tmp_path / "holder")
    assert (tmp_path / "holder").read_text() == before


def test_two_shares_give_the_key_in_either_order() -> None:
    key = encryption.new_identity()
    share, other_share = encryption.split(key)
    assert str(encryption.join(share, other_share)) == str(key)
    assert str(encryption.join(other_share, share)) == str(key)


def test_one_share_says_nothing_of_the_key() -> None:
    key = encryption.new_identity()
    shares = encryption.split(key)
    assert str(key).encode() not in shares
    other_shares = encryption.split(encryption.new_identity())
    with pytest.raises(NotForUs):
        encryption.join(shares[0], other_shares[1])


def test_a_changed_age_file_is_refused() -> None:
    key = encryption.new_identity()
    encrypted = encryption.encrypt(b"data", [key.to_public()])
    assert encryption.decrypt(encrypted, key) == b"data"
    with pytest.raises(NotForUs):
        encryption.decrypt(encrypted[:-1] + bytes([encrypted[-1] ^ 1]), key)


def test_an_age_file_opens_for_each_reader_and_nobody_else() -> None:
    first, second, stranger = (encryption.new_identity() for _ in range(3))
    encrypted = encryption.encrypt(b"data", [first.to_public(), second.to_public()])
    assert encryption.decrypt(encrypted, first) == encryption.decrypt(encrypted, second) == b"data"
    with pytest.raises(NotForUs):
        encryption.decrypt(encrypted, stranger)
