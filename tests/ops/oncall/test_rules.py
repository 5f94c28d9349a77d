"""Whom the oncall tells and when, from values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.local.state_dir import ROOT
from ops.oncall import config, rules
from ops.oncall.incident_store import IncidentStore
from ops.oncall.rules import Firing, Incident, NotificationAttempt
from tests.ops.oncall.factories import NOW, PAGE, ROTA


def incident(firing: Firing = PAGE) -> Incident:
    made = rules.apply_firing(None, firing, NOW, "id")
    assert made is not None
    return made


def having_told(one: Incident, person: str, minutes: int = 0, *, reached: bool = True) -> Incident:
    return replace(
        one,
        told=(
            *one.told,
            NotificationAttempt(
                person=person, at=NOW + timedelta(minutes=minutes), reached=reached
            ),
        ),
    )


def test_the_first_of_the_turn_in_force_is_told_at_once() -> None:
    assert rules.choose_person(incident(), ROTA, NOW) == "satu"
    assert (
        rules.choose_person(incident(), ROTA, datetime(2026, 11, 22, 16, 59, tzinfo=UTC)) == "dua"
    )
    assert (
        rules.choose_person(incident(), ROTA, datetime(2026, 11, 22, 17, 0, tzinfo=UTC)) == "satu"
    )  # midnight in Jakarta


def test_who_does_not_answer_in_time_is_followed_by_the_next_round_and_round() -> None:
    one = having_told(incident(), "satu")
    assert rules.choose_person(one, ROTA, NOW + timedelta(minutes=14)) is None
    assert rules.choose_person(one, ROTA, NOW + timedelta(minutes=15)) == "dua"
    two = having_told(having_told(one, "dua", 15), "kepala", 30)
    assert rules.choose_person(two, ROTA, NOW + timedelta(minutes=45)) == "satu"


def test_a_ticket_waits_for_a_day() -> None:
    one = having_told(incident(replace(PAGE, severity="ticket")), "satu")
    assert rules.choose_person(one, ROTA, NOW + timedelta(hours=23)) is None
    assert rules.choose_person(one, ROTA, NOW + timedelta(hours=24)) == "dua"


def test_after_an_answer_nobody_else_is_told_and_the_first_answer_stays() -> None:
    one = rules.acknowledge(having_told(incident(), "satu"), "Rina")
    assert rules.choose_person(one, ROTA, NOW + timedelta(days=9)) is None
    assert rules.acknowledge(one, "Budi").taken_by == "Rina"


def test_who_cannot_be_reached_is_followed_by_the_next_at_once() -> None:
    assert rules.choose_person(having_told(incident(), "satu", reached=False), ROTA, NOW) == "dua"


def test_after_a_round_in_which_nobody_could_be_reached_it_waits_a_minute_and_remembers_no_more_than_it_must() -> (
    None
):
    one = incident()
    for person in ("satu", "dua", "kepala"):
        one = having_told(one, person, reached=False)
    assert rules.choose_person(one, ROTA, NOW + timedelta(seconds=59)) is None
    assert rules.choose_person(one, ROTA, NOW + timedelta(seconds=60)) == "satu"
    for number in range(200):
        one = rules.record_attempt(
            one,
            one,
            NotificationAttempt(person="satu", at=NOW + timedelta(minutes=number), reached=False),
        )
    assert len(one.told) == rules.MAX_ATTEMPTS_KEPT


def test_the_same_again_opens_nothing_and_something_new_opens_it_again() -> None:
    one = rules.acknowledge(having_told(incident(), "satu"), "Rina")
    assert rules.apply_firing(one, PAGE, NOW, "other") == one
    more = rules.apply_firing(
        one,
        replace(
            PAGE,
            alerts=dict(PAGE.alerts) | {"f2": "manpower tidak menjawab\nmanpower does not answer"},
        ),
        NOW,
        "other",
    )
    assert more is not None
    assert (more.id, more.taken_by, rules.choose_person(more, ROTA, NOW)) == ("id", "", "satu")


def test_what_became_worse_is_as_urgent_as_it_is_now() -> None:
    one = having_told(incident(replace(PAGE, severity="ticket")), "satu")
    worse = rules.apply_firing(
        one, replace(PAGE, alerts=dict(PAGE.alerts) | {"f2": "x\ny"}), NOW, "other"
    )
    assert worse is not None
    assert (
        rules.choose_person(having_told(worse, "satu"), ROTA, NOW + timedelta(minutes=15)) == "dua"
    )


def test_who_was_told_before_it_grew_is_told_again() -> None:
    sent, attempt = incident(), NotificationAttempt(person="satu", at=NOW, reached=True)
    assert rules.record_attempt(sent, sent, attempt).told == (attempt,)
    grown = rules.apply_firing(
        sent, replace(PAGE, alerts=dict(PAGE.alerts) | {"f2": "x\ny"}), NOW, "other"
    )
    anew = replace(sent, id="other")
    assert grown is not None
    for now in (grown, anew):
        assert rules.choose_person(rules.record_attempt(now, sent, attempt), ROTA, NOW) == "satu"
    shrunk = replace(sent, alerts={}, taken_by="Rina")
    assert rules.record_attempt(shrunk, sent, attempt) == replace(shrunk, told=(attempt,))


def test_when_it_is_over_those_who_were_reached_hear_it_and_the_next_time_is_another_one() -> None:
    one = having_told(having_told(incident(), "satu", reached=False), "dua")
    over = rules.apply_firing(one, replace(PAGE, alerts={}), NOW, "other")
    assert over is not None
    assert (over.over, over.closing, rules.choose_person(over, ROTA, NOW)) == (True, ("dua",), None)
    again = rules.apply_firing(over, PAGE, NOW, "other")
    assert again is not None
    assert (again.id, again.over) == ("other", False)


def test_what_was_never_heard_of_and_is_over_is_nothing() -> None:
    assert rules.apply_firing(None, replace(PAGE, alerts={}), NOW, "id") is None


def test_the_watch_is_silent_after_the_time_that_the_oncall_says() -> None:
    assert not rules.is_watchdog_silent(NOW, ROTA, NOW + timedelta(minutes=5))
    assert rules.is_watchdog_silent(NOW, ROTA, NOW + timedelta(minutes=5, seconds=1))


def test_a_notice_is_indonesian_first_names_the_page_and_where_to_answer() -> None:
    subject, text = rules.write_notice(incident(), ROTA)
    assert subject == "[Bina page] training tidak menjawab"
    assert text.index("training tidak menjawab") < text.index("training does not answer")
    assert "docs/runbooks/ProcessDown.md" in text
    assert text.endswith("https://piket.example/notices/id")
    assert "2026-11-24 10:00 WIB" in text


def test_a_restart_forgets_no_incident_and_the_book_does_not_grow_without_end(
    tmp_path: Path,
) -> None:
    book = IncidentStore(tmp_path / "book.json")
    one = rules.acknowledge(having_told(incident(), "satu"), "Rina")
    book.save(one)
    for number in range(150):
        book.save(
            replace(
                incident(),
                id=str(number),
                key=f"old-{number}",
                since=NOW + timedelta(minutes=number),
                over=True,
            )
        )
    again = IncidentStore(tmp_path / "book.json")
    assert again.find_by_id("id") == one
    assert len(again.incidents) == 101
    assert again.find_by_id("0") is None


def test_a_book_that_cannot_be_read_is_put_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text('{"group": {"id": "id", ')
    IncidentStore(tmp_path / "book.json").save(incident())
    assert (tmp_path / "book.unreadable").read_text() == '{"group": {"id": "id", '
    assert IncidentStore(tmp_path / "book.json").find_by_id("id") == incident()


def test_a_rule_without_our_words_and_severities_is_told_and_wakes_somebody() -> None:
    ours = {
        "status": "firing",
        "labels": {"alertname": "A", "severity": "ticket"},
        "annotations": {"summary": "s", "summary_en": "e", "meaning": "m", "runbook": "r"},
        "fingerprint": "f",
    }
    assert config.parse_firing({"groupKey": "g", "alerts": [ours]}) == Firing(
        key="g", severity="ticket", alerts={"f": "s\nm\ne"}, runbooks=frozenset({"r"})
    )
    foreign = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "fingerprint": "f",
    }
    assert config.parse_firing({"groupKey": "g", "alerts": [foreign]}) == Firing(
        key="g", severity="page", alerts={"f": "DiskFull"}, runbooks=frozenset()
    )


def test_what_is_told_says_of_which_region_so_that_two_at_once_are_told_apart() -> None:
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "A", "severity": "page", "region": region},
            "annotations": {"summary": "training tidak menjawab"},
            "fingerprint": region,
        }
        for region in ("jabar", "papua")
    ]
    subject, text = rules.write_notice(
        replace(incident(), alerts=config.parse_firing({"groupKey": "g", "alerts": alerts}).alerts),
        ROTA,
    )
    assert subject == "[Bina page] jabar: training tidak menjawab"
    assert "papua: training tidak menjawab" in text


def test_the_sample_oncall_can_be_used() -> None:
    sample = config.read_schedule(ROOT / "deploy/monitoring/oncall.toml")
    assert sample.people_on_call(NOW)[-1] == "kepala-seksi"


@pytest.mark.parametrize(
    ("wrong", "right", "named"),
    [
        ("mailto:piket-dua", "piket-dua", "piket-dua"),
        ('["piket-dua", ', '["piket-tiga", ', "piket-tiga"),
        ("page = 15", "page = 0", "page"),
        ("from = 2026-01-", "from = 2999-01-", "turn"),
    ],
)
def test_a_oncall_that_would_reach_nobody_is_refused_by_what_is_wrong(
    tmp_path: Path, wrong: str, right: str, named: str
) -> None:
    text = (ROOT / "deploy/monitoring/oncall.toml").read_text()
    (tmp_path / "oncall.toml").write_text(text.replace(wrong, right))
    with pytest.raises(OperatorError, match=named):
        config.read_schedule(tmp_path / "oncall.toml")
