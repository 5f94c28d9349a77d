"""Skills: a certificate that was issued again proves the same under its new id."""

from __future__ import annotations

from datetime import UTC, datetime

from services.manpower.candidates.skills import (
    CertificateContent,
    Skill,
    Standing,
    Unit,
    rename_skill,
)

CONTENT = CertificateContent(
    scheme_id="las",
    scheme_title="Juru las",
    units=(Unit(code="C.24LAS01.001.1", title="Mengelas"),),
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    valid_until=datetime(2029, 1, 1, tzinfo=UTC),
)
SKILLS = (
    Skill(certificate_id="a", content=CONTENT),
    Skill(certificate_id="b", content=CONTENT, standing=Standing.SUSPENDED),
)


def test_a_reissued_certificate_keeps_its_content_under_its_new_id() -> None:
    renamed = rename_skill(SKILLS, "b", "0")
    assert [skill.certificate_id for skill in renamed] == ["0", "a"]
    assert renamed[0].standing is Standing.SUSPENDED
    assert renamed[0].content == CONTENT


def test_a_repeated_or_unknown_reissue_changes_nothing() -> None:
    renamed = rename_skill(SKILLS, "b", "c")
    assert rename_skill(renamed, "b", "c") == renamed
    assert rename_skill(SKILLS, "x", "y") == SKILLS
