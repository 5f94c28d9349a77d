"""Rules of on-call: whom to notify and when."""

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
from tests.ops.oncall.factories import NOW, PAGE, SCHEDULE


def incident(firing: Firing = PAGE) -> Incident:
    made = rules.apply_firing(None, firing, NOW, "id")
    assert made is not None
    return made


def after_attempt(
    one: Incident, person: str, minutes: int = 0, *, reached: bool = True
) -> Incident:
    return replace(
        one,
        told=(
            *one.told,
            NotificationAttempt(
                person=person, at=NOW + timedelta(minutes=minutes), reached=reached
            ),
        ),
    )


def test_the_first_person_of_the_turn_is_notified_at_once() -> None:
    assert rules.choose_person(incident(), SCHEDULE, NOW) == "satu"
    assert (
        rules.choose_person(incident(), SCHEDULE, datetime(2026, 11, 22, 16, 59, tzinfo=UTC))
        == "dua"
    )
    assert (
        rules.choose_person(incident(), SCHEDULE, datetime(2026, 11, 22, 17, 0, tzinfo=UTC))
        == "satu"
    )  # midnight in Jakarta


def test_an_unanswered_notice_goes_to_the_next_person_in_rounds() -> None:
    one = after_attempt(incident(), "satu")
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(minutes=14)) is None
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(minutes=15)) == "dua"
    two = after_attempt(after_attempt(one, "dua", 15), "kepala", 30)
    assert rules.choose_person(two, SCHEDULE, NOW + timedelta(minutes=45)) == "satu"


def test_a_ticket_escalates_after_a_day() -> None:
    one = after_attempt(incident(replace(PAGE, severity="ticket")), "satu")
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(hours=23)) is None
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(hours=24)) == "dua"


def test_the_first_acknowledgement_ends_notifications_and_counts() -> None:
    one = rules.acknowledge(after_attempt(incident(), "satu"), "Rina")
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(days=9)) is None
    assert rules.acknowledge(one, "Budi").taken_by == "Rina"


def test_an_unreachable_person_is_followed_by_the_next_at_once() -> None:
    assert (
        rules.choose_person(after_attempt(incident(), "satu", reached=False), SCHEDULE, NOW)
        == "dua"
    )


def test_a_round_that_reached_nobody_is_repeated_after_a_minute() -> None:
    one = incident()
    for person in ("satu", "dua", "kepala"):
        one = after_attempt(one, person, reached=False)
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(seconds=59)) is None
    assert rules.choose_person(one, SCHEDULE, NOW + timedelta(seconds=60)) == "satu"
    for number in range(200):
        one = rules.record_attempt(
            one,
            one,
            NotificationAttempt(person="satu", at=NOW + timedelta(minutes=number), reached=False),
        )
    assert len(one.told) == rules.MAX_ATTEMPTS_KEPT


def test_a_new_alert_reopens_an_incident_and_a_repeat_does_not() -> None:
    one = rules.acknowledge(after_attempt(incident(), "satu"), "Rina")
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
    assert (more.id, more.taken_by, rules.choose_person(more, SCHEDULE, NOW)) == ("id", "", "satu")


def test_a_worse_alert_raises_the_severity() -> None:
    one = after_attempt(incident(replace(PAGE, severity="ticket")), "satu")
    worse = rules.apply_firing(
        one, replace(PAGE, alerts=dict(PAGE.alerts) | {"f2": "x\ny"}), NOW, "other"
    )
    assert worse is not None
    assert (
        rules.choose_person(after_attempt(worse, "satu"), SCHEDULE, NOW + timedelta(minutes=15))
        == "dua"
    )


def test_a_person_is_notified_again_when_the_incident_grew() -> None:
    sent = incident()
    attempt = NotificationAttempt(person="satu", at=NOW, reached=True)
    assert rules.record_attempt(sent, sent, attempt).told == (attempt,)
    grown = rules.apply_firing(
        sent, replace(PAGE, alerts=dict(PAGE.alerts) | {"f2": "x\ny"}), NOW, "other"
    )
    reopened = replace(sent, id="other")
    assert grown is not None
    for now in (grown, reopened):
        assert (
            rules.choose_person(rules.record_attempt(now, sent, attempt), SCHEDULE, NOW) == "satu"
        )
    shrunk = replace(sent, alerts={}, taken_by="Rina")
    assert rules.record_attempt(shrunk, sent, attempt) == replace(shrunk, told=(attempt,))


def test_reached_people_learn_that_it_is_over_and_the_next_is_new() -> None:
    one = after_attempt(after_attempt(incident(), "satu", reached=False), "dua")
    over = rules.apply_firing(one, replace(PAGE, alerts={}), NOW, "other")
    assert over is not None
    assert (over.over, over.closing, rules.choose_person(over, SCHEDULE, NOW)) == (
        True,
        ("dua",),
        None,
    )
    again = rules.apply_firing(over, PAGE, NOW, "other")
    assert again is not None
    assert (again.id, again.over) == ("other", False)


def test_a_resolved_group_without_incident_opens_nothing() -> None:
    assert rules.apply_firing(None, replace(PAGE, alerts={}), NOW, "id") is None


def test_the_watchdog_is_silent_after_its_timeout() -> None:
    assert not rules.is_watchdog_silent(NOW, SCHEDULE, NOW + timedelta(minutes=5))
    assert rules.is_watchdog_silent(NOW, SCHEDULE, NOW + timedelta(minutes=5, seconds=1))


def test_a_notice_is_indonesian_first_with_runbook_and_address() -> None:
    subject, text = rules.write_notice(incident(), SCHEDULE)
    assert subject == "[Bina page] training tidak menjawab"
    assert text.index("training tidak menjawab") < text.index("training does not answer")
    assert "docs/runbooks/ProcessDown.md" in text
    assert text.endswith("https://piket.example/notices/id")
    assert "2026-11-24 10:00 WIB" in text


def test_incidents_survive_a_restart_and_resolved_ones_are_bounded(
    tmp_path: Path,
) -> None:
    book = IncidentStore(tmp_path / "book.json")
    one = rules.acknowledge(after_attempt(incident(), "satu"), "Rina")
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


def test_an_unreadable_incident_file_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text('{"group": {"id": "id", ')
    IncidentStore(tmp_path / "book.json").save(incident())
    assert (tmp_path / "book.unreadable").read_text() == '{"group": {"id": "id", '
    assert IncidentStore(tmp_path / "book.json").find_by_id("id") == incident()


def test_an_alert_of_a_foreign_rule_counts_as_the_worst_severity() -> None:
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


def test_a_notice_names_the_region_of_each_alert() -> None:
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
        SCHEDULE,
    )
    assert subject == "[Bina page] jabar: training tidak menjawab"
    assert "papua: training tidak menjawab" in text


def test_the_sample_schedule_can_be_used() -> None:
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
def test_a_schedule_that_reaches_nobody_is_refused_with_the_mistake(
    tmp_path: Path, wrong: str, right: str, named: str
) -> None:
    text = (ROOT / "deploy/monitoring/oncall.toml").read_text()
    (tmp_path / "oncall.toml").write_text(text.replace(wrong, right))
    with pytest.raises(OperatorError, match=named):
        config.read_schedule(tmp_path / "oncall.toml")
