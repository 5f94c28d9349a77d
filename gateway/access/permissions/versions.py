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

from gateway.access.permissions import PUBLIC, ROLE_PERMISSIONS, ROLES, RolePermissions

HISTORY_DIRECTORY = Path(__file__).with_name("history")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleVersion:
    """A version of a role, in force from the day `since` (UTC) on: what it gained and lost ("service: METHOD /template")."""

    number: int
    since: date
    adds: frozenset[str]
    removes: frozenset[str]


def current_permissions(
    role: str, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> frozenset[str]:
    """What the code lets the role do, without what anybody may."""
    lists = (
        (service, permissions.get(role, frozenset()))
        for service, permissions in role_permissions.by_service.items()
    )
    return frozenset(
        f"{service}: {permission}" for service, permissions in lists for permission in permissions
    )


@cache
def read_history(directory: Path = HISTORY_DIRECTORY) -> dict[str, tuple[RoleVersion, ...]]:
    """The versions of every role that has any, the oldest first."""
    return {file.stem: tuple(_read_versions(file)) for file in sorted(directory.glob("*.toml"))}


def latest_version(role: str) -> int:
    """The number of the role's version in force; 0 where it has none."""
    versions = read_history().get(role, ())
    return versions[-1].number if versions else 0


def permissions_at(versions: Sequence[RoleVersion], number: int) -> frozenset[str]:
    """What the role could do in that version; nothing before its first."""
    held = frozenset[str]()
    for version in versions:
        if version.number <= number:
            held = (held - version.removes) | version.adds
    return held


def version_on(versions: Sequence[RoleVersion], day: date) -> RoleVersion | None:
    """The version in force on that day; None before the first."""
    return next((version for version in reversed(versions) if version.since <= day), None)


def compare_versions(
    versions: Sequence[RoleVersion], older: int, newer: int
) -> tuple[frozenset[str], frozenset[str]]:
    """What was gained and what was lost from one version to another."""
    before, after = permissions_at(versions, older), permissions_at(versions, newer)
    return after - before, before - after


def find_problems(
    directory: Path = HISTORY_DIRECTORY, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> list[str]:
    """Where history and code do not agree, in words."""
    found = read_history(directory)
    return [
        *(f"{role}: no such role" for role in sorted(found.keys() - ROLES - {PUBLIC})),
        *_find_gaps(found),
        *_find_unrecorded(found, role_permissions),
    ]


def _find_gaps(history: dict[str, tuple[RoleVersion, ...]]) -> Iterator[str]:
    for role, versions in history.items():
        if [version.number for version in versions] != list(range(1, len(versions) + 1)):
            yield f"{role}: the versions are not numbered 1, 2, 3"
        if any(later.since < earlier.since for earlier, later in pairwise(versions)):
            yield f"{role}: a version begins before the one before it"


def _find_unrecorded(
    history: dict[str, tuple[RoleVersion, ...]], role_permissions: RolePermissions
) -> Iterator[str]:
    for role in (*sorted(ROLES), PUBLIC):
        versions = history.get(role, ())
        told = permissions_at(versions, len(versions))
        if told != current_permissions(role, role_permissions):
            yield f"{role}: its permissions changed without a new version: {', '.join(sorted(told ^ current_permissions(role, role_permissions)))}"


def write_missing(
    directory: Path, today: date, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> list[str]:
    """Write the entries that are missing; the roles that got one."""
    changed: list[str] = []
    for role in (*sorted(ROLES), PUBLIC):
        file = directory / f"{role}.toml"
        versions = tuple(_read_versions(file)) if file.exists() else ()
        before, after = (
            permissions_at(versions, len(versions)),
            current_permissions(role, role_permissions),
        )
        if before != after:
            entry = _render_entry(len(versions) + 1, today, after - before, before - after)
            file.write_text((file.read_text() + "\n" if file.exists() else "") + entry)
            changed.append(role)
    return changed


def _read_versions(file: Path) -> Iterable[RoleVersion]:
    for entry in tomllib.loads(file.read_text())["version"]:
        yield RoleVersion(
            number=entry["number"],
            since=entry["since"],
            adds=frozenset(entry["adds"]),
            removes=frozenset(entry["removes"]),
        )


def _render_entry(number: int, since: date, adds: frozenset[str], removes: frozenset[str]) -> str:
    return f"[[version]]\nnumber = {number}\nsince = {since.isoformat()}\nadds = {_render_list(adds)}\nremoves = {_render_list(removes)}\n"


def _render_list(permissions: frozenset[str]) -> str:
    return (
        "["
        + "".join(f'\n    "{permission}",' for permission in sorted(permissions))
        + ("\n]" if permissions else "]")
    )


if __name__ == "__main__":
    sys.stdout.write(
        "".join(f"{role}\n" for role in write_missing(HISTORY_DIRECTORY, datetime.now(UTC).date()))
    )
