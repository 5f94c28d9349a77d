"""The command `logs`: log lines of the processes, for people or as one JSON document a line."""

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.text import Text

from ops.errors import OperatorError
from ops.language import choose
from ops.local import state_dir, topology
from ops.text_output import print_error

_LINES = 200
_MAX_LINES = 100_000
_TAIL_BYTES_A_LINE = 2_560
_FOLLOW_SECONDS = 0.2
_PROCESSES = ("mongod", "kafka", *(service.name for service in topology.PROCESSES))
_KAFKA_LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) +(?P<message>.*)")
_KAFKA_LEVELS = {"warn": "warning", "fatal": "critical"}
_MONGOD_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}
_DURATION = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LEVELS = ("debug", "info", "warning", "error", "critical")
_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow", "debug": "dim"}
_COLUMNS = {"time", "part", "level", "message", "service"}
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are shown: from a time, of at least a level, up to a number."""

    since: datetime | None
    level: str
    lines: int

    def accepts(self, line: Line) -> bool:
        """Return whether a line is new and severe enough; a line without a level always is."""
        if line["level"] in LEVELS and LEVELS.index(line["level"]) < LEVELS.index(self.level):
            return False
        return self.since is None or _parse_time(str(line["time"])) >= self.since


def choose_lines(since: datetime | None, level: str, lines: int | None) -> LogFilter:
    """Return the filter; without a number the last 200 lines, or all since a time."""
    most = _MAX_LINES if since else _LINES
    return LogFilter(since, level, most if lines is None else lines)


def logs(part: str | None, chosen: LogFilter, *, follow: bool, as_json: bool) -> int:
    """Print the last lines of one process or of all, in order of time; with `follow`, new ones."""
    readers = {name: _open_log(name, chosen) for name in _select(part)}
    console = Console(highlight=False)
    lines: list[Line] = []
    for name, source in readers.items():
        if source:
            lines += [line for line in _read_lines(name, source) if chosen.accepts(line)]
    shown = _in_order(lines)[-chosen.lines :]
    _print_lines(shown, console, as_json=as_json)
    _print_remark(len(shown), len(lines))
    try:
        while follow:
            new = [line for line in _read_new_lines(readers, chosen) if chosen.accepts(line)]
            _print_lines(_in_order(new), console, as_json=as_json)
            time.sleep(_FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return 0
    finally:
        for source in readers.values():
            if source:
                source.close()
    return 0


def parse_since(text: str | None) -> datetime | None:
    """Return a time: ISO 8601, or a duration before now such as 10m or 2h. Raises OperatorError."""
    if text is None:
        return None
    if match := _DURATION.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise OperatorError(
            f"--since {text} bukan waktu: tulis misalnya 10m, 2h atau 2026-11-24T10:00+07:00.",
            f"--since {text} is not a time: write for example 10m, 2h or 2026-11-24T10:00+07:00.",
        ) from None


def require_level(text: str) -> str:
    """Return the level. Raises OperatorError if there is no such level."""
    if text not in LEVELS:
        names = ", ".join(LEVELS)
        raise OperatorError(
            f"Tidak ada tingkat {text!r}; yang ada: {names}.",
            f"There is no level {text!r}; there are: {names}.",
        )
    return text


def _parse_time(text: str) -> datetime:
    """Return the time of a line; the earliest time if it has none that can be read."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _local_time(line: Line) -> str:
    """Return the time of a line in the zone of this machine, as the other commands show times."""
    found = _parse_time(str(line["time"]))
    if found.year == 1:
        return ""
    return found.astimezone().isoformat(timespec="milliseconds")[11:23]


def _print_remark(shown: int, found: int) -> None:
    """Say on stderr when there is nothing, or more than is shown."""
    if not found:
        print_error(choose("Tidak ada catatan yang cocok.", "There are no matching lines."))
    elif shown < found:
        print_error(
            choose(
                f"{shown} baris terakhir. Lebih banyak: --lines N, --since 1h.",
                f"The last {shown} lines. For more: --lines N, --since 1h.",
            )
        )


def _select(part: str | None) -> list[str]:
    if part:
        return [topology.require_known(part, _PROCESSES)]
    return [name for name in _PROCESSES if state_dir.log_path(name).exists()]


def _in_order(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: str(line["time"]))


def _read_new_lines(readers: dict[str, TextIO | None], chosen: LogFilter) -> list[Line]:
    """Return the lines written since the last call; open a truncated log again."""
    lines: list[Line] = []
    for name, source in list(readers.items()):
        if source is None or _was_truncated(name, source):
            if source:
                source.close()
            readers[name] = _open_log(name, chosen)
        else:
            lines += _read_lines(name, source)
    return lines


def _open_log(name: str, chosen: LogFilter) -> TextIO | None:
    """Open a log, None if there is none.

    Unless a time or a level is asked for, only its end is read, which is enough for the lines.
    """
    path = state_dir.log_path(name)
    if not path.exists():
        return None
    source = path.open(errors="replace")
    tail = chosen.lines * _TAIL_BYTES_A_LINE
    is_whole = chosen.since is not None or chosen.level != LEVELS[0]
    if (size := path.stat().st_size) > tail and not is_whole:
        source.seek(size - tail)
        source.readline()
    return source


def _was_truncated(name: str, source: TextIO) -> bool:
    path: Path = state_dir.log_path(name)
    return path.exists() and path.stat().st_size < source.tell()


def _read_lines(name: str, source: TextIO) -> Iterator[Line]:
    """Yield the complete lines; a line without a time gets the time of the line before."""
    latest = ""
    while True:
        position = source.tell()
        text = source.readline()
        if not text.endswith("\n"):  # the end, or a line that is being written
            source.seek(position)
            return
        if text.strip():
            line = parse_line(name, text.rstrip("\n"))
            line["time"] = line["time"] or latest  # the lines of a traceback have none
            latest = line["time"]
            yield line


def parse_line(process: str, text: str) -> Line:
    """Return the fields of a line: time (ISO 8601), part, level, message and its own others."""
    try:
        document: object = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return _parse_json(process, cast("dict[str, Any]", document))
    if match := _KAFKA_LINE.match(text):
        level = match["level"].lower()
        level = _KAFKA_LEVELS.get(level, level)
        return {"time": match["time"], "part": process, "level": level, "message": match["message"]}
    return {"time": "", "part": process, "level": "info", "message": text}


def _parse_json(process: str, fields: dict[str, Any]) -> Line:
    if "s" in fields and isinstance(fields.get("t"), dict):  # as mongod writes
        return {
            "time": fields["t"]["$date"],
            "part": process,
            "level": _MONGOD_LEVELS.get(fields["s"], "debug"),
            "message": fields.get("msg", ""),
            **fields.get("attr", {}),
        }
    return {
        "time": fields.pop("timestamp", ""),
        "part": process,
        "level": fields.pop("level", "info"),
        "message": fields.pop("event", ""),
        **fields,
    }


def _print_lines(lines: Iterable[Line], console: Console, *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            console.print(_render_line(line), soft_wrap=True)
    sys.stdout.flush()


def _render_line(line: Line) -> Text:
    text = f"{_local_time(line):12} {line['part']:13} {line['level']:8} {line['message']} "
    facts = " ".join(f"{name}={value}" for name, value in line.items() if name not in _COLUMNS)
    return Text(text, style=_STYLES.get(str(line["level"]), "")) + Text(facts, style="dim")
