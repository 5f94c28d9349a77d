"""The texts that say why an event is parked: one for every reason."""

from __future__ import annotations

import re
from contextvars import copy_context
from pathlib import Path

import pytest

from chassis.admin import parked_reasons
from chassis.admin.parked_reasons import explain
from chassis.messaging.received_events import BEHIND, failure_reason
from chassis.persistence.mongo import DocumentRefused, DuplicateKey
from chassis.persistence.unit_of_work import EventTooLarge
from chassis.texts import READER_LANGUAGE, Language
from tests.chassis import sample_service

RULES = sample_service.JarFull.code


def explain_in_english(reason: str) -> dict[str, str]:
    READER_LANGUAGE.set(Language.ENGLISH)
    return explain(reason)


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        (RULES, "Stoples penuh"),
        ("KeyError", "Layanan gagal memprosesnya (KeyError)"),
        ("the body is not JSON", "Isinya tidak dapat dibaca"),
        ("fields that do not fit: text: missing", "Isinya tidak sesuai"),
        ("version not known here: outside.note-told.v2", "lebih baru"),
        ("the record has no key", "Kunci atau isinya tidak ada"),
        ("key or headers are not UTF-8", "Kepala (header)"),
        ("ce_specversion is not 1.0", "Kepala (header)"),
        ("duplicate: jars.label_unique", "sudah ada"),
        (failure_reason(DuplicateKey("jars", "label_unique")), "sudah ada"),
        (failure_reason(DocumentRefused("jars: [121]")), "Basis data menolak"),
        (
            failure_reason(EventTooLarge("shop.jar-filled.v1")),
            "Layanan gagal memprosesnya (EventTooLarge)",
        ),
        ("header missing: ce_id", "Kepala (header)"),
        (
            "a header has the wrong form: ce_time, ce_sequence or ce_aggregateversion",
            "Kepala (header)",
        ),
        ("not known yet", "belum dikenal"),
        ("refused by the broker: MessageSizeTooLargeError", "terlalu besar"),
    ],
)
def test_each_reason_has_its_words(reason: str, what: str) -> None:
    said = explain(reason)
    assert said["reason"] == reason
    assert what in said["what"]
    assert said["todo"]
    said = copy_context().run(explain_in_english, reason)
    assert re.fullmatch(r"[A-Z][^.]*\.", said["what"].replace(reason, "reason"))
    assert re.fullmatch(r"[A-Z].*\.", said["todo"])
    assert f"{said['what']}{said['todo']}".isascii()


def test_every_reason_that_the_code_gives_has_words_of_its_own() -> None:
    """An operator discards an event with a broken header, so no other fault may look like that."""
    literal = re.compile(
        r'Unreadable\(\s*f?"([^"{]+)|^(?:NOT_UTF8|UNKNOWN_SUBJECT) = "([^"\n]+)"$', re.MULTILINE
    )
    given = {
        match[match.lastindex or 0]
        for file in Path(parked_reasons.__file__).parents[1].rglob("*.py")
        for match in literal.finditer(file.read_text())
    } | {BEHIND}
    assert len(given) > 10
    assert [
        reason
        for reason in given
        if reason.isidentifier() or "gagal memprosesnya" in explain(reason)["what"]
    ] == []
