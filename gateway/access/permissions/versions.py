"""What each role could do when: its versions as data, one file a role in history/, each entry a difference. Not here: what it may do now (the code beside this).

A change of permissions without an entry fails the build; `python -m gateway.access.permissions.versions` writes the entries that are missing, dated today.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from gateway.access.permissions import PUBLIC, ROLES, RULES, Rules

PLACE = Path(__file__).with_name("history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a role, in force from the day `since` (UTC) on: what it gained and lost ("service: METHOD /template")."""

    number: int
    since: date
    adds: frozenset[str]
    removes: frozenset[str]


def now_of(role: str, rules: Rules = RULES) -> frozenset[str]:
    """What the code lets the role do, without what anybody may."""
    lists = (
        (service, permissions.get(role, frozenset()))
        for service, permissions in rules.services.items()
    )
    return frozenset(
        f"{service}: {permission}" for service, permissions in lists for permission in permissions
    )


@cache
def history(place: Path = PLACE) -> dict[str, tuple[Version, ...]]:
    """The versions of every role that has any, the oldest first."""
    return {file.stem: tuple(_read(file)) for file in sorted(place.glob("*.toml"))}


def latest(role: str) -> int:
    """The number of the role's version in force; 0 where it has none."""
    versions = history().get(role, ())
    return versions[-1].number if versions else 0


def at_version(versions: Sequence[Version], number: int) -> frozenset[str]:
    """What the role could do in that version; nothing before its first."""
    held = frozenset[str]()
    for version in versions:
        if version.number <= number:
            held = (held - version.removes) | version.adds
    return held


def on(versions: Sequence[Version], day: date) -> Version | None:
    """The version in force on that day; None before the first."""
    return next((version for version in reversed(versions) if version.since <= day), None)


def difference(
    versions: Sequence[Version], older: int, newer: int
) -> tuple[frozenset[str], frozenset[str]]:
    """What was gained and what was lost from one version to another."""
    before, after = at_version(versions, older), at_version(versions, newer)
    return after - before, before - after


def problems(place: Path = PLACE, rules: Rules = RULES) -> list[str]:
    """Where history and code do not agree, in words."""
    found = history(place)
    return [
        *(f"{role}: no such role" for role in sorted(found.keys() - ROLES - {PUBLIC})),
        *_gaps(found),
        *_untold(found, rules),
    ]


def _gaps(found: dict[str, tuple[Version, ...]]) -> Iterator[str]:
    for role, versions in found.items():
        if [version.number for version in versions] != list(range(1, len(versions) + 1)):
            yield f"{role}: the versions are not numbered 1, 2, 3"
        if any(later.since < earlier.since for earlier, later in pairwise(versions)):
            yield f"{role}: a version begins before the one before it"


def _untold(found: dict[str, tuple[Version, ...]], rules: Rules) -> Iterator[str]:
    for role in (*sorted(ROLES), PUBLIC):
        versions = found.get(role, ())
        told = at_version(versions, len(versions))
        if told != now_of(role, rules):
            yield f"{role}: its permissions changed without a new version: {', '.join(sorted(told ^ now_of(role, rules)))}"


def write_missing(place: Path, today: date, rules: Rules = RULES) -> list[str]:
    """Write the entries that are missing; the roles that got one."""
    changed: list[str] = []
    for role in (*sorted(ROLES), PUBLIC):
        file = place / f"{role}.toml"
        versions = tuple(_read(file)) if file.exists() else ()
        before, after = at_version(versions, len(versions)), now_of(role, rules)
        if before != after:
            entry = _entry(len(versions) + 1, today, after - before, before - after)
            file.write_text((file.read_text() + "\n" if file.exists() else "") + entry)
            changed.append(role)
    return changed


def _read(file: Path) -> Iterable[Version]:
    for entry in tomllib.loads(file.read_text())["version"]:
        yield Version(
            number=entry["number"],
            since=entry["since"],
            adds=frozenset(entry["adds"]),
            removes=frozenset(entry["removes"]),
        )


def _entry(number: int, since: date, adds: frozenset[str], removes: frozenset[str]) -> str:
    return f"[[version]]\nnumber = {number}\nsince = {since.isoformat()}\nadds = {_listed(adds)}\nremoves = {_listed(removes)}\n"


def _listed(permissions: frozenset[str]) -> str:
    return (
        "["
        + "".join(f'\n    "{permission}",' for permission in sorted(permissions))
        + ("\n]" if permissions else "]")
    )


if __name__ == "__main__":
    sys.stdout.write(
        "".join(f"{role}\n" for role in write_missing(PLACE, datetime.now(UTC).date()))
    )
