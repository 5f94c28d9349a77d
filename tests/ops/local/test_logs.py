"""The logs of all processes have one format, and are chosen by time, level and number."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.local import logs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                '{"t":{"$date":"2026-11-24T12:00:00.000+00:00"},"s":"W","c":"REPL","id":1,'
                '"ctx":"main","msg":"slow","attr":{"ms":5}}'
            ),
            {
                "time": "2026-11-24T12:00:00.000+00:00",
                "part": "p",
                "level": "warning",
                "message": "slow",
                "ms": 5,
            },
        ),
        (
            (
                '{"event": "prepared", "service": "training", "level": "info",'
                ' "timestamp": "2026-11-24T12:00:00Z"}'
            ),
            {
                "time": "2026-11-24T12:00:00Z",
                "part": "p",
                "level": "info",
                "message": "prepared",
                "service": "training",
            },
        ),
        (
            "2026-11-24T12:00:00.000Z ERROR KafkaServer the disk is full",
            {
                "time": "2026-11-24T12:00:00.000Z",
                "part": "p",
                "level": "error",
                "message": "KafkaServer the disk is full",
            },
        ),
        (
            "Traceback (most recent call last):",
            {
                "time": "",
                "part": "p",
                "level": "info",
                "message": "Traceback (most recent call last):",
            },
        ),
        ("[1, 2]", {"time": "", "part": "p", "level": "info", "message": "[1, 2]"}),
    ],
)
def test_a_line_of_mongod_of_ours_and_of_kafka_has_the_same_names(
    text: str, expected: dict[str, object]
) -> None:
    assert logs.parse_line("p", text) == expected


def _write_lines(directory: Path, *lines: dict[str, object]) -> None:
    """Write lines into the log of training of an installation in this directory."""
    (directory / "logs").mkdir()
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "logs" / "training.log").write_text(text)


def _line(event: str, *, minutes_ago: float, level: str = "info") -> dict[str, object]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {"timestamp": at.isoformat(), "level": level, "event": event}


@pytest.mark.parametrize(
    ("since", "level", "lines", "expected"),
    [
        (None, "debug", None, ["old", "bad", "new"]),
        ("10m", "debug", None, ["bad", "new"]),
        (None, "error", None, ["bad"]),
        ("1m", "warning", None, []),
        (None, "debug", 1, ["new"]),
    ],
)
def test_logs_are_chosen_by_time_level_and_number(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    since: str | None,
    level: str,
    lines: int | None,
    expected: list[str],
) -> None:
    monkeypatch.setenv("BINA_DIR", str(tmp_path))
    monkeypatch.setenv("BINA_LANG", "en")
    old = _line("old", minutes_ago=60)
    bad = _line("bad", minutes_ago=5, level="error")
    _write_lines(tmp_path, old, bad, _line("new", minutes_ago=2))
    chosen = logs.choose_lines(logs.parse_since(since), logs.require_level(level), lines)
    assert logs.logs("training", chosen, follow=False, as_json=True) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["message"] for line in printed.out.splitlines()] == expected
    remark = "" if expected else "There are no matching lines.\n"
    if lines and lines < len(["old", "bad", "new"]):
        remark = "The last 1 lines. For more: --lines N, --since 1h.\n"
    assert printed.err == remark


def test_an_old_line_of_a_long_log_is_found_by_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BINA_DIR", str(tmp_path))
    later = [_line("x" * 1_000, minutes_ago=1) for _ in range(2_000)]
    _write_lines(tmp_path, _line("first", minutes_ago=30), *later)
    chosen = logs.choose_lines(logs.parse_since("1h"), "debug", None)
    logs.logs("training", chosen, follow=False, as_json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[0])["message"] == "first"


@pytest.mark.parametrize("text", ["yesterday", "10", "10x", ""])
def test_a_since_that_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(OperatorError, match="10m"):
        logs.parse_since(text)


def test_a_level_that_does_not_exist_is_refused_with_the_levels() -> None:
    with pytest.raises(OperatorError, match="warning"):
        logs.require_level("loud")
