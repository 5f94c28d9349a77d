"""What a page names that does not exist: commands, containers, logs, variables, routes.

Not here: metrics (tests/deploy/alerts), tests that pages name as proof (test_named_tests).
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from typer.main import get_command

from ops import cli
from ops.local import kafka_login, mongo_login
from ops.local.state_dir import ROOT
from tests import syntax_trees
from tests.deploy.k8s import OURS, variables

_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_COMPOSE_OPTIONS_WITH_VALUES = {"--entrypoint", "--profile", "--tail", "--volume", "--user"}
_COMPOSE_VERBS = {"up", "down", "ps", "logs", "stop", "restart", "run", "exec", "build"}
_VARIABLE = re.compile(rf"\b((?:BINA|{'|'.join(name.upper() for name in OURS)})_[A-Z_]*[A-Z])\b")
_ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w/{}-]+)")
_LOG_EVENT = re.compile(r"log (?:contains|says) `(\w+)`")
_PATH = re.compile(r"`((?:tests|deploy|docs|ops|chassis|services|gateway)/[\w./-]+)`")
# Variables of the commands that are no settings of a process.
_COMMAND_VARIABLES = {
    "BINA_DIR",
    "BINA_PORT",
    "BINA_PORTS",
    kafka_login.USER_VARIABLE,
    kafka_login.PASSWORD_VARIABLE,
    mongo_login.URL_VARIABLE,
    mongo_login.URL_FILE_VARIABLE,
}


def unknown_commands(text: str) -> list[str]:
    """Return the `./bina` commands of a page that do not exist, or have other options."""
    return [found for found in re.findall(r"\./bina ([^`\n#|]+)", text) if not _is_command(found)]


def _is_command(line: str) -> bool:
    words = line.split()
    here: Any = get_command(cli.app)
    while words and words[0] in getattr(here, "commands", {}):
        here = here.commands[words.pop(0)]
    if hasattr(here, "commands"):
        return False
    options = {option for parameter in here.params for option in parameter.opts}
    return {word.rstrip(".,;:)") for word in words if word.startswith("-")} <= options


def unknown_containers(text: str) -> list[str]:
    """Return the services of `docker compose` commands that docker-compose.yml does not have.

    A name in capitals is the reader's to replace.
    """
    known = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].keys()
    unknown: list[str] = []
    for line in re.findall(r"docker compose ([^`\n#|]+)", text):
        verb, *names = _containers(_shell_words(line))
        if verb in {"run", "exec"}:
            names = names[:1]
        if verb not in _COMPOSE_VERBS:
            unknown.append(verb)
        unknown += [name for name in names if name not in known and not name.isupper()]
    return unknown


def _shell_words(line: str) -> list[str]:
    try:
        return shlex.split(line.partition(" <")[0])
    except ValueError:  # a quoted text that the pattern cut off
        return line.partition("'")[0].split()


def _containers(words: list[str]) -> list[str]:
    names: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in _COMPOSE_OPTIONS_WITH_VALUES:
            next(waiting)
        elif not word.startswith("-"):
            names.append(word.rstrip(".,;"))
    return names


@cache
def log_events() -> frozenset[str]:
    """Return every log event that our code writes, its fields as `name=`, and every job."""
    files = [
        path
        for folder in ("chassis", "gateway", "services", "ops")
        for path in (ROOT / folder).rglob("*.py")
    ]
    return frozenset(name for path in files for name in _events_of(path.read_text()))


def _events_of(source: str) -> Iterator[str]:
    for node in ast.walk(syntax_trees.parse(source)):
        if isinstance(node, ast.Call) and node.args and _writes_log(node.func):
            yield from _texts_of(node.args[0])
            yield from (f"{keyword.arg}=" for keyword in node.keywords)


def _writes_log(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "Job"
    return isinstance(function, ast.Attribute) and function.attr in _LEVELS


def _texts_of(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def unknown_log_events(text: str) -> list[str]:
    """Return what a page seeks in the log and no log event contains."""
    sought = _LOG_EVENT.findall(text)
    for line in re.findall(r"\./bina logs [^\n#]*", text):
        sought += [word for part in line.split("|")[1:] for word in _patterns(part)]
    events = "\n".join(log_events())
    return [word for word in sought if word not in events]


def _patterns(command: str) -> list[str]:
    """Return what `grep` seeks, of a field its name only."""
    words = shlex.split(command)
    if not words or words[0] != "grep":
        return []
    return [re.sub(r"=.*", "=", word) for word in words[1:] if not word.startswith("-")]


def unknown_variables(text: str) -> list[str]:
    """Return the variables of a page that neither a process nor a command reads."""
    known = {name for service in OURS for name in variables(service)} | _COMMAND_VARIABLES
    return [name for name in _VARIABLE.findall(text) if name not in known]


def unknown_routes(text: str) -> list[str]:
    """Return the routes of a page that the gateway does not have; capitals are ids."""
    return [
        f"{method} {path}"
        for method, path in _ROUTE.findall(text)
        if (method, _shape(path)) not in _routes()
    ]


@cache
def _routes() -> frozenset[tuple[str, str]]:
    table: dict[str, Any] = tomllib.loads((ROOT / "gateway/routing/routes.toml").read_text())
    del table["service"]  # the limits of requests in flight
    routes: set[tuple[str, str]] = set()
    for line in (line for blocks in table.values() for block in blocks for line in block["paths"]):
        *methods, path = line.split()
        routes |= {(method, _shape(path)) for method in methods}
    return frozenset(routes)


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}|\b[A-Z][A-Z_]*\b", "*", path)


def unknown_files(text: str) -> list[str]:
    """Return the files of the repository that a page names and that do not exist."""
    return [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
