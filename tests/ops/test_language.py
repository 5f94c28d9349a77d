"""The language of the terminal: chosen by the locale, one at a time, within 80 columns."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap

import pytest
from rich.console import Console

from ops.docs import help_texts
from ops.errors import OperatorError
from ops.language import choose
from ops.local import up
from ops.local.state_dir import ROOT
from ops.text_output import fit

COLUMNS = 80
INDONESIAN = {"LANG": "id_ID.UTF-8"}
ENGLISH = {"LANG": "en_US.UTF-8"}
LANGUAGES = pytest.mark.parametrize("locale", [INDONESIAN, ENGLISH], ids=["id", "en"])
INDONESIAN_WORDS = re.compile(r"\b(?:Opsi|Perintah|Contoh|Tampilkan|yang|dan|untuk|wajib|bawaan)\b")
ENGLISH_WORDS = re.compile(r"\b(?:Usage|Options|Commands|Examples|the|and|for|required|default)\b")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def environment(locale: dict[str, str]) -> dict[str, str]:
    """Return our environment with this locale and a terminal of 80 columns."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))
    }
    return ours | locale | {"COLUMNS": str(COLUMNS)}


def run(*arguments: str, locale: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(locale),
        capture_output=True,
        text=True,
        check=False,
    )


def helps(locale: dict[str, str]) -> dict[str, str]:
    """Return the help of every command and group by its words."""
    return help_texts.read_helps("en" if locale is ENGLISH else "id", COLUMNS)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ({}, "id"),
        ({"LANG": ""}, "id"),
        ({"LANG": "C"}, "id"),
        ({"LANG": "POSIX"}, "id"),
        ({"LANG": "id_ID.UTF-8"}, "id"),
        ({"LANG": "de_DE.UTF-8"}, "id"),
        ({"LANG": "en"}, "en"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "id_ID", "LC_MESSAGES": "en_US"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "id_ID"}, "id"),
        ({"LANG": "en_US", "LC_MESSAGES": "en_US", "LC_ALL": "C"}, "id"),
        ({"LANG": "id_ID", "LC_MESSAGES": "id_ID", "LC_ALL": "en_US"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "", "LC_ALL": ""}, "en"),
    ],
)
def test_the_first_locale_variable_that_is_not_empty_decides(
    monkeypatch: pytest.MonkeyPatch, locale: dict[str, str], expected: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    assert choose("id", "en") == expected


def test_an_error_is_shown_in_one_language(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OperatorError("Tidak berjalan.", "Not running.")
    assert str(error) == "Tidak berjalan."
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    assert str(error) == "Not running."


@LANGUAGES
def test_every_help_fits_80_columns_and_has_an_example(locale: dict[str, str]) -> None:
    title = "  Examples:" if locale is ENGLISH else "  Contoh:"
    foreign = INDONESIAN_WORDS if locale is ENGLISH else ENGLISH_WORDS
    shown = helps(locale)
    assert len(shown) > 25
    for path, text in shown.items():
        lines = text.splitlines()
        assert [line for line in lines if len(line) > COLUMNS] == [], path
        assert [line for line in lines if line.endswith("...")] in ([], [lines[0]]), path
        examples = lines[lines.index(title) + 1 :]
        assert any(example.strip().startswith("./bina ") for example in examples), path
        described = "\n".join(lines[: lines.index(title)])
        assert foreign.findall(described) == [], path


def test_both_languages_have_the_same_commands() -> None:
    assert helps(INDONESIAN).keys() == helps(ENGLISH).keys()


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        (
            INDONESIAN,
            [
                "Pemakaian: ./bina token [OPSI]",
                "Bantuan: ./bina token --help",
                "",
                "Opsi '--role' wajib disebutkan.",
            ],
        ),
        (
            ENGLISH,
            [
                "Usage: ./bina token [OPTIONS]",
                "Help: ./bina token --help",
                "",
                "Missing option '--role'.",
            ],
        ),
    ],
)
def test_a_usage_error_is_in_one_language(locale: dict[str, str], expected: list[str]) -> None:
    refused = run("-m", "ops.cli", "token", locale=locale)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines() == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "Tidak ada perintah 'nothing'."),
        (("stauts",), "Tidak ada perintah 'stauts'. Maksudnya 'status'?"),
        (("up", "x"), "Argumen berlebih: x."),
        (("status", "--jsn"), "Tidak ada opsi --jsn. Maksudnya --json?"),
        (("events", "tail", "--last", "x"), "'--last' tidak dapat dipakai: tulis bilangan bulat."),
        (("events", "tail", "--last=-1"), "'--last' tidak dapat dipakai: paling kecil 0."),
        (("events", "replay", "--from"), "Opsi '--from' memerlukan nilai."),
        (("up", "--detach=1"), "Opsi '--detach' tidak menerima nilai."),
        (("events", "parked", "show"), "Argumen 'URUTAN' wajib disebutkan."),
    ],
)
def test_typers_own_messages_have_an_indonesian_version(
    arguments: tuple[str, ...], said: str
) -> None:
    refused = run("-m", "ops.cli", *arguments, locale=INDONESIAN)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1].endswith(said)


def test_a_group_without_a_command_shows_its_help() -> None:
    refused = run("-m", "ops.cli", "events", locale=ENGLISH)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.rstrip() == helps(ENGLISH)["events"].rstrip()


def test_a_sentence_is_wrapped_between_words_at_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    path = "/" + "x" * 100
    sentence = f"{'kata ' * 30}{path} selesai"
    lines = fit(sentence, Terminal()).splitlines()
    assert path in lines
    assert all(len(line) <= COLUMNS for line in lines if line != path)
    assert fit(sentence, io.StringIO()) == sentence
    indented = fit(textwrap.indent(sentence, "  "), Terminal()).splitlines()
    assert all(line.startswith("  ") for line in indented)


@pytest.mark.parametrize("columns", [80, 100])
@LANGUAGES
def test_the_table_of_up_fits_and_breaks_no_name_or_address(
    monkeypatch: pytest.MonkeyPatch, locale: dict[str, str], columns: int
) -> None:
    monkeypatch.setenv("LANG", locale["LANG"])
    advice = {
        "advice": "berhenti sendiri (kode 1), dimulai lagi dalam 2 detik; baca catatannya",
        "advice_in_english": "ended by itself (status 1), restarts in 2 seconds",
    }
    address = "http://127.0.0.1:65000"
    view = {"name": "certification", "state": "not-ready", "address": address, "pid": 1, **advice}
    out = io.StringIO()
    Console(file=out, width=columns).print(up.render_table([view]))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert all(len(line) <= columns for line in lines)
    assert any(line.startswith("certification") and address in line for line in lines)
    state = "not ready" if locale is ENGLISH else "belum siap"
    assert state in out.getvalue()
    assert "\x1b" not in out.getvalue()
