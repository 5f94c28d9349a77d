"""The logs of all processes have one format."""

import pytest

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
