"""The command `logs`: log lines of the processes, for people or as one JSON document a line."""

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.text import Text

from ops.local import state_dir, topology

_LINES_SHOWN = 200
_TAIL_BYTES = 512 * 1024
_FOLLOW_SECONDS = 0.2
_PROCESSES = ("mongod", "kafka", *(service.name for service in topology.PROCESSES))
_KAFKA_LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) +(?P<message>.*)")
_KAFKA_LEVELS = {"warn": "warning", "fatal": "critical"}
_MONGOD_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}
_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow", "debug": "dim"}
_COLUMNS = {"time", "part", "level", "message", "service"}
Line = dict[str, Any]


def logs(part: str | None, *, follow: bool, as_json: bool) -> int:
    """Print the last lines of one process or of all, in order of time; with `follow`, new ones."""
    readers = {name: _open_log(name) for name in _select(part)}
    console = Console(highlight=False)
    lines: list[Line] = []
    for name, source in readers.items():
        if source:
            lines += [*_read_lines(name, source)][-_LINES_SHOWN:]
    _print_lines(_in_order(lines)[-_LINES_SHOWN:], console, as_json=as_json)
    try:
        while follow:
            _print_lines(_in_order(_read_new_lines(readers)), console, as_json=as_json)
            time.sleep(_FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return 0
    return 0


def _select(part: str | None) -> list[str]:
    if part:
        return [topology.require_known(part, _PROCESSES)]
    return [name for name in _PROCESSES if state_dir.log_path(name).exists()]


def _in_order(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: str(line["time"]))


def _read_new_lines(readers: dict[str, TextIO | None]) -> list[Line]:
    """Return the lines written since the last call; open a truncated log again."""
    lines: list[Line] = []
    for name, source in list(readers.items()):
        if source is None or _was_truncated(name, source):
            readers[name] = _open_log(name)
        else:
            lines += _read_lines(name, source)
    return lines


def _open_log(name: str) -> TextIO | None:
    """Open a log at the first full line of its last _TAIL_BYTES; None if there is no log."""
    path = state_dir.log_path(name)
    if not path.exists():
        return None
    source = path.open(errors="replace")
    if (size := path.stat().st_size) > _TAIL_BYTES:
        source.seek(size - _TAIL_BYTES)
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
    time_of_day = str(line["time"])[11:23]
    text = f"{time_of_day:12} {line['part']:13} {line['level']:8} {line['message']} "
    facts = " ".join(f"{name}={value}" for name, value in line.items() if name not in _COLUMNS)
    return Text(text, style=_STYLES.get(str(line["level"]), "")) + Text(facts, style="dim")
