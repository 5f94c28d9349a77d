"""Backups that are refused before anything of them is decrypted."""

import json
from pathlib import Path

import pytest

from ops.backup import manifest
from ops.errors import OperatorError


def test_a_backup_of_format_1_names_the_version_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / manifest.MANIFEST).write_text(json.dumps({"format": 1, "id": "bina-x"}))
    (tmp_path / manifest.SIGNATURE).write_text("00")
    with pytest.raises(OperatorError, match=r"hanya dibaca oleh Bina 0\.1\.0"):
        manifest.read_manifest(tmp_path)


def test_a_backup_of_an_unknown_format_is_damaged(tmp_path: Path) -> None:
    (tmp_path / manifest.MANIFEST).write_text(json.dumps({"format": 9, "services": []}))
    (tmp_path / manifest.SIGNATURE).write_text("00")
    with pytest.raises(OperatorError, match="rusak"):
        manifest.read_manifest(tmp_path)
