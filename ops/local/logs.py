"""The command `logs`: what the parts wrote, as a person reads it or one JSON document a line."""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.text import Text

from ops.local import state_dir, topology

_LINES_SHOWN = 200
_TAIL_BYTES = 512 * 1024
_PROCESSES = ("mongod", "kafka", *(service.name for service in topology.PROCESSES))
_KAFKA_LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) +(?P<message>.*)")
_MONGOD_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}
_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow", "debug": "dim"}


def logs(part: str | None, *, follow: bool, as_json: bool) -> int:
    """Print the last lines of one part or of all in order of time, then follow when asked; the exit status."""
    wanted = (
        [topology.require_known(part, _PROCESSES)]
        if part
        else [name for name in _PROCESSES if state_dir.log_path(name).exists()]
    )
    console = Console(highlight=False)
    readers = {name: _open_log(name) for name in wanted}
    lines = [
        line
        for name, source in readers.items()
        if source
        for line in [*_read_lines(name, source)][-_LINES_SHOWN:]
    ]
    _print_lines(
        sorted(lines, key=lambda line: str(line["time"]))[-_LINES_SHOWN:], console, as_json=as_json
    )
    try:
        while follow:
            fresh: list[dict[str, Any]] = []
            for name, source in list(readers.items()):
                if source is None or _was_truncated(name, source):
                    readers[name] = _open_log(name)
                else:
                    fresh.extend(_read_lines(name, source))
            _print_lines(
                sorted(fresh, key=lambda line: str(line["time"])), console, as_json=as_json
            )
            time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
    return 0


def _open_log(name: str) -> TextIO | None:
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


def _read_lines(name: str, source: TextIO) -> Iterator[dict[str, Any]]:
    latest = ""
    while True:
        place = source.tell()
        text = source.readline()
        if not text.endswith("\n"):  # nothing more, or a line that is being written
            source.seek(place)
            return
        if text.strip():
            line = parse_line(name, text.rstrip("\n"))
            latest = line["time"] = (
                line["time"] or latest
            )  # a trace's lines stay with what they follow
            yield line


def parse_line(process: str, text: str) -> dict[str, Any]:
    """One line of any part by the same names: time (ISO 8601), part, level, message, and what else it says."""
    try:
        found: object = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict):
        said = cast("dict[str, Any]", found)
        if "s" in said and "t" in said and isinstance(said["t"], dict):
            return {
                "time": said["t"]["$date"],
                "part": process,
                "level": _MONGOD_LEVELS.get(said["s"], "debug"),
                "message": said.get("msg", ""),
                **said.get("attr", {}),
            }
        time_, level, message = (
            said.pop("timestamp", ""),
            said.pop("level", "info"),
            said.pop("event", ""),
        )
        return {"time": time_, "part": process, "level": level, "message": message, **said}
    if match := _KAFKA_LINE.match(text):
        level = {"warn": "warning", "fatal": "critical"}.get(
            match["level"].lower(), match["level"].lower()
        )
        return {"time": match["time"], "part": process, "level": level, "message": match["message"]}
    return {"time": "", "part": process, "level": "info", "message": text}


def _print_lines(lines: list[dict[str, Any]], console: Console, *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            facts = " ".join(
                f"{name}={value}"
                for name, value in line.items()
                if name not in {"time", "part", "level", "message", "service"}
            )
            told = f"{str(line['time'])[11:23]:12} {line['part']:13} {line['level']:8} {line['message']} "
            console.print(
                Text(told, style=_STYLES.get(str(line["level"]), "")) + Text(facts, style="dim"),
                soft_wrap=True,
            )
    sys.stdout.flush()
