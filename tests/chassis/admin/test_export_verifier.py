"""The verifier of audit exports, started without a file or with a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.admin.audit_export import verify


def test_the_verifier_without_a_file_shows_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([]) == 2
    assert "Pakai: python3 verify.py BERKAS.zip" in capsys.readouterr().out


def test_the_verifier_names_a_file_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "export.zip"
    assert verify.main([str(missing)]) == 2
    assert f"cannot be read: {missing}" in capsys.readouterr().out


def test_the_verifier_refuses_a_file_that_is_no_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "export.zip"
    wrong.write_text("no archive")
    assert verify.main([str(wrong)]) == 1
    assert "damaged or incomplete: BadZipFile" in capsys.readouterr().out
