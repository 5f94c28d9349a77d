"""./bina as an operator uses it on a running system.

The operator finds a poison event, reads its reason, retries it and discards it; its key continues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest

from chassis.admin.parked_event_admin import encode_segment
from chassis.ids import new_id, utc_now
from ops.local import mongo_users, platform_checks, secrets
from ops.local.topology import MONGOD, SERVICES
from tests.installation import Installation, eventually
from tests.system.operator import REASON, TOPIC, Operator

pytestmark = [pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def operator(system: Installation) -> Iterator[Operator]:
    yield Operator(system)
    assert system.status()["parked"]["events"] == 0


@pytest.fixture
def training_database(system: Installation) -> Iterator[Any]:
    """Return training's database in the running system."""
    address = f"{platform_checks.LOOPBACK}:{system.port + MONGOD.offset}"
    with pymongo.MongoClient[dict[str, Any]](
        mongo_users.administrator_url(
            address, secrets.administrator_password(system.home / "secrets")
        )
    ) as client:
        yield client["training"]


def test_a_poison_event_is_found_and_discarded_and_its_key_continues(
    operator: Operator,
) -> None:
    key = new_id()
    today = str(datetime.now(UTC).date())
    stay = {
        "participant_ref": key,
        "facility_id": "LP-UJI",
        "kind": "new",
        "effective_on": today,
        "as_of": utc_now().isoformat(),
    }
    operator.tell(
        key,
        ("training.release-planned.v1", {"participant_ref": key, "expected_on": "Budi Santoso"}),
        ("training.participant-admitted.v1", stay),
    )
    eventually(
        lambda: (
            {name: one["count"] for name, one in operator.waiting(key).items()}
            == {"training": 2, "manpower": 2}
        )
    )
    found = operator.waiting(key)["manpower"]
    assert found["reason"].startswith("fields that do not fit: ")
    assert found["what"] == "Isinya tidak sesuai dengan yang dijanjikan pengirimnya."
    assert "buang" in found["todo"]

    assert "manpower, training" in operator.refused(
        "events", "parked", "show", f"{TOPIC}/{key}"
    ).replace("training, manpower", "manpower, training")
    sequence = found["sequence"]
    assert sequence == encode_segment(f"{TOPIC}/{key}")
    shown = operator.bina("events", "parked", "show", sequence, "--service", "manpower")
    poison, behind = shown["letters"]
    assert (poison["body"]["participant_ref"], poison["body"]["expected_on"]) == (key, "…")
    assert behind["what"] == "Menunggu peristiwa sebelumnya dengan kunci yang sama."

    retried = operator.bina("events", "parked", "retry", sequence, "--service", "manpower", exits=1)
    assert [(one["took_effect"], one["count"]) for one in retried["sequences"]] == [(0, 2)]
    discard = ("events", "parked", "discard", sequence, "--service", "manpower")
    assert "10 huruf" in operator.refused(*discard, "--reason", "x" * 9, "--yes")
    assert "--yes" in operator.refused(*discard, "--reason", REASON)
    assert operator.waiting(key)["manpower"]["count"] == 2
    would = operator.bina(
        "events",
        "parked",
        "discard",
        sequence,
        "--service",
        "manpower",
        "--reason",
        REASON,
        "--dry-run",
    )
    assert (would["event_id"], would["count"], would["dry_run"]) == (poison["id"], 1, True)
    assert operator.waiting(key)["manpower"]["count"] == 2
    assert (
        operator.bina(
            "events",
            "parked",
            "discard",
            sequence,
            "--service",
            "manpower",
            "--reason",
            REASON,
            "--yes",
        )["count"]
        == 1
    )
    would = operator.bina(
        "events", "parked", "retry", "--all", "--service", "manpower", "--dry-run"
    )
    assert (would["took_effect"], would["dry_run"]) == (1, True)
    assert operator.ask("case_officer", "GET", f"/v1/candidates/{key}", facility="LP-UJI")[0] == 404
    assert (
        operator.bina("events", "parked", "retry", "--all", "--service", "manpower")["took_effect"]
        == 1
    )
    assert operator.ask("case_officer", "GET", f"/v1/candidates/{key}", facility="LP-UJI")[0] == 200

    operator.bina(
        "events", "parked", "discard", sequence, "--reason", REASON, "--yes"
    )  # now it is parked in one service only
    operator.bina("events", "parked", "retry", sequence)
    assert operator.waiting(key) == {}
    assert sequence in operator.refused("events", "parked", "retry", sequence)


def test_tail_shows_headers_and_hides_what_could_be_a_name(operator: Operator) -> None:
    key = new_id()
    operator.tell(
        key,
        ("training.nothing-of-ours.v1", {"participant_ref": key, "full_name": "Budi Santoso"}),
        ("training.nothing-of-ours.v2", {}),
    )
    first, second = operator.lines("events", "tail", "--service", "training", "--key", key)
    assert (first["topic"], first["key"], first["type"], first["sequence"]) == (
        TOPIC,
        key,
        "training.nothing-of-ours.v1",
        "1",
    )
    assert first["body"] == {"participant_ref": key, "full_name": "…"}
    assert first["headers"]["ce_source"] == "bina/training"
    assert second["offset"] > first["offset"]
    [newest] = operator.lines("events", "tail", "--type", "training.nothing-of-ours", "--last", "1")
    assert newest["id"] == second["id"]


def test_a_replay_sends_only_its_range_and_reports_each_reader(
    operator: Operator,
) -> None:
    class_id = operator.open_class()
    since = (utc_now() - timedelta(hours=1)).isoformat()
    wanted = ("events", "replay", "--from", since, "--key", class_id, "--service", "training")

    def heard() -> bool:
        return (
            operator.bina(*wanted, "--dry-run")["services"][0]["readers"]
            .get("training", {})
            .get("done")
            == 1
        )

    eventually(heard)
    done = operator.bina(*wanted)
    assert (done["events"], done["published"], done["left"]) == (1, 1, 0)
    [training] = done["services"]
    assert (training["topic"], training["readers"].keys()) == (TOPIC, {"training"})
    first, again = operator.lines("events", "tail", "--key", class_id)
    assert (first["id"], first["body"]) == (again["id"], again["body"])
    operator.tell(class_id, ("training.nothing-of-ours.v1", {}))
    eventually(lambda: operator.bina("events", "lag", "--service", "training")["behind"] == 0)
    entries = operator.ask(
        "training_officer", "GET", f"/v1/classes/{class_id}/timeline", facility="*"
    )[1]["items"]
    assert [entry["kind"] for entry in entries] == ["training.class-opened"]

    everything = operator.bina("events", "replay", "--from", since, "--dry-run")
    assert (everything["published"], len(everything["services"])) == (0, len(SERVICES))
    assert everything["events"] > 1
    assert "Paling awal" in operator.refused(
        "events", "replay", "--from", (utc_now() - timedelta(days=46)).isoformat()
    )
    assert "--from kemarin: tulis waktu" in operator.refused(
        "events", "replay", "--from", "kemarin"
    )


NOW = "now"
NOTHING = (
    "nothing",
    "",
    ".",
    "..",
    "%2e%2e",
    "a b?c#d",
    "x/../../lag",
    f"{TOPIC}/kunci-é",
    "'\x1b[2J",
    "-",
    "x" * 3_000,
)


@pytest.mark.parametrize(
    "command",
    [
        *(
            ("events", "parked", action, *more, "--", name)
            for name in NOTHING
            for action, *more in (("show",), ("retry",), ("discard", "--reason", REASON, "--yes"))
        ),
        ("events", "parked", "retry"),
        ("events", "parked", "retry", "--all", "x"),
        ("events", "parked", "list", "--service", "nobody"),
        ("events", "tail", "--service", "nobody"),
        ("events", "replay", "--from", NOW, "--to", "2026-01-01T00:00+07:00"),
        ("events", "replay", "--from", "9998-01-01T00:00Z"),
        ("events", "replay", "--from", "0001-01-01T00:00+14:00"),
        ("events", "replay", "--from", NOW, "--to", "9999-12-31T23:59-14:00"),
        ("events", "replay", "--from", ""),
        ("events", "replay", "--from", NOW, "--to", "tomorrow"),
        ("events", "replay", "--from", NOW, "--key", "k" * 1_001),
    ],
    ids=" ".join,
)
def test_what_names_nothing_is_refused_with_one_sentence_of_a_language(
    operator: Operator, command: tuple[str, ...]
) -> None:
    words = [utc_now().isoformat() if word == NOW else word for word in command]
    sentences: list[str] = []
    for locale in ("id_ID.UTF-8", "en_US.UTF-8"):
        code, out, err = operator.said(*words, locale=locale)
        assert (code, out) == (1, "")
        assert "\x1b" not in err
        sentences += err.splitlines()
    indonesian, english = sentences
    assert indonesian
    assert english
    assert indonesian != english


@pytest.mark.parametrize(
    "command",
    [
        ("parked", "show"),
        ("parked", "discard", "x"),
        ("tail", "--last", "-1"),
        ("tail", "--last", "many"),
        ("replay",),
        ("nothing",),
    ],
    ids=" ".join,
)
def test_an_unknown_command_is_refused_with_its_usage(
    operator: Operator, command: tuple[str, ...]
) -> None:
    code, out, err = operator.said("events", *command)
    assert (code, out) == (2, "")
    assert "Pemakaian: " in err


@pytest.mark.parametrize(
    "key", ["kunci/dengan/garis", "kunci é 印 %2F?#", "[bold]\x1b[2J\nbaris", "k" * 400]
)
def test_a_sequence_of_any_key_is_listed_shown_retried_and_discarded(
    operator: Operator, key: str
) -> None:
    operator.tell(
        key,
        ("training.release-planned.v1", {"participant_ref": key, "expected_on": "Budi"}),
        raw=b'{"Budi Santoso": ' + b"[" * 200_000,
    )
    eventually(lambda: operator.waiting(key).keys() == {"training", "manpower"})
    for command in (
        ("parked", "list"),
        ("parked", "show", f"{TOPIC}/{key}", "--service", "manpower"),
        ("tail", "--key", key),
    ):
        code, out, _ = operator.said("events", *command)
        assert (code, "\x1b" in out, "Budi" in out) == (0, False, False)
    [line] = operator.lines("events", "tail", "--key", key)
    assert (line["key"], line["body"]) == (key, None)
    sequence = operator.waiting(key)["manpower"]["sequence"]
    tried = operator.bina(
        "events", "parked", "retry", sequence, f"{TOPIC}/{key}", "--service", "manpower", exits=1
    )
    assert [(one["key"], one["took_effect"], one["count"]) for one in tried["sequences"]] == [
        (key, 0, 1)
    ]
    for service in ("manpower", "training"):
        operator.bina(
            "events",
            "parked",
            "discard",
            f"{TOPIC}/{key}",
            "--service",
            service,
            "--reason",
            REASON,
            "--yes",
        )
    assert operator.waiting(key) == {}


def test_where_nothing_waits_there_is_nothing_to_list_or_to_retry(operator: Operator) -> None:
    assert operator.bina("events", "parked", "list")["sequences"] == []
    listed = ("events", "parked", "list")
    assert operator.said(*listed)[1].strip() == "Tidak ada yang tertahan."
    assert operator.said(*listed, locale="en_US.UTF-8")[1].strip() == "Nothing is parked."
    assert operator.bina("events", "parked", "retry", "--all") == {
        "sequences": [],
        "took_effect": 0,
        "dry_run": False,
    }
    assert operator.lines("events", "tail", "--last", "0") == []
    assert len(operator.lines("events", "tail", "--last", str(10**9))) > 0


def test_lag_and_outbox_cover_every_service(operator: Operator) -> None:
    lag = operator.bina("events", "lag")
    outbox = operator.bina("events", "outbox")
    assert (
        [one["service"] for one in lag["services"]]
        == [one["service"] for one in outbox["services"]]
        == [service.name for service in SERVICES]
    )
    assert {at["topic"] for at in lag["services"][0]["partitions"]} >= {TOPIC}
    for locale, words in (("id_ID.UTF-8", "Belum terbaca: "), ("en_US.UTF-8", "Not read yet: ")):
        shown = operator.said("events", "lag", locale=locale)[1].splitlines()
        assert shown[-1].startswith(words)
        assert all(len(line.rstrip()) <= 80 for line in shown)
    assert all(
        {"unsent", "oldest_seconds", "stopped_keys", "items"} <= one.keys()
        for one in outbox["services"]
    )
    launched = operator.system.bina("events", "outbox", "--service", "manpower", "--json")
    assert [one["service"] for one in json.loads(launched.stdout)["services"]] == ["manpower"]
    assert "yang ada: certification" in operator.refused("events", "lag", "--service", "nobody")


def test_only_operators_act_and_only_auditors_besides_read(operator: Operator) -> None:
    for service in SERVICES:
        root = f"/v1/operations/{service.name}"
        assert operator.ask("auditor", "GET", f"{root}/parked")[0] == 200
        assert operator.ask("auditor", "POST", f"{root}/parked/x/retry")[0] == 403
        assert operator.ask("auditor", "POST", f"{root}/replay", {})[0] == 403
        status, problem = operator.ask("administrator", "GET", f"{root}/parked")
        assert (status, problem["title"]) == (403, "Anda tidak berwenang melakukan ini")


def test_every_audit_verifies_and_a_changed_row_is_named(
    operator: Operator, training_database: Any
) -> None:
    for locale, words in (("id_ID.UTF-8", "0 temuan"), ("en_US.UTF-8", "0 findings")):
        code, out, _ = operator.said("audit", "verify", "--service", "training", locale=locale)
        assert (code, out.strip().endswith(words)) == (0, True)
    whole = operator.bina("audit", "verify")
    assert [one["service"] for one in whole["services"]] == [
        *(service.name for service in SERVICES),
        "gateway",
    ]
    training = whole["services"][0]
    assert training["blocks"] >= training["anchors"] > 0
    assert whole["whole"] is True

    rows = training_database.audit
    row = rows.find_one({"action": "parked.listed", "block": {"$ne": None}})
    assert row is not None
    rows.update_one({"_id": row["_id"]}, {"$set": {"actor": "somebody-else"}})
    try:
        changed = operator.bina("audit", "verify", "--service", "training", exits=1)
        assert changed["services"][0]["findings"] == [
            {"block": row["block"], "row": row["_id"], "what": "row altered"}
        ]
    finally:
        rows.update_one({"_id": row["_id"]}, {"$set": {"actor": row["actor"]}})
