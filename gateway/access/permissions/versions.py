"""The versions of each role's permissions: a file per role in history/, an entry per change.

A change of permissions without an entry fails the build. `python -m
gateway.access.permissions.versions` writes missing entries, dated today. Not here: what a role may
do now.
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
    """A version of a role, in force from the day `since` (UTC).

    `adds` and `removes` are the permissions gained and lost ("service: METHOD /template").
    """

    number: int
    since: date
    adds: frozenset[str]
    removes: frozenset[str]


def current_permissions(
    role: str, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> frozenset[str]:
    """Return the role's permissions in the code, without the public ones."""
    lists = (
        (service, permissions.get(role, frozenset()))
        for service, permissions in role_permissions.by_service.items()
    )
    return frozenset(
        f"{service}: {permission}" for service, permissions in lists for permission in permissions
    )


@cache
def read_history(directory: Path = HISTORY_DIRECTORY) -> dict[str, tuple[RoleVersion, ...]]:
    """Return the versions of every role that has a file, the oldest first."""
    return {file.stem: tuple(_read_versions(file)) for file in sorted(directory.glob("*.toml"))}


def latest_version(role: str) -> int:
    """Return the number of the role's latest version; 0 without any."""
    versions = read_history().get(role, ())
    return versions[-1].number if versions else 0


def permissions_at(versions: Sequence[RoleVersion], number: int) -> frozenset[str]:
    """Return the permissions of that version; for 0 none."""
    held = frozenset[str]()
    for version in versions:
        if version.number <= number:
            held = (held - version.removes) | version.adds
    return held


def version_on(versions: Sequence[RoleVersion], day: date) -> RoleVersion | None:
    """Return the version in force on that day; None before the first."""
    return next((version for version in reversed(versions) if version.since <= day), None)


def compare_versions(
    versions: Sequence[RoleVersion], older: int, newer: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the permissions gained and those lost between two versions."""
    before = permissions_at(versions, older)
    after = permissions_at(versions, newer)
    return after - before, before - after


def find_problems(
    directory: Path = HISTORY_DIRECTORY, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> list[str]:
    """Return a description of each difference between the history and the code."""
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
        recorded = permissions_at(versions, len(versions))
        current = current_permissions(role, role_permissions)
        if recorded != current:
            changed = ", ".join(sorted(recorded ^ current))
            yield f"{role}: its permissions changed without a new version: {changed}"


def write_missing(
    directory: Path, today: date, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> list[str]:
    """Write the missing entries; return the roles that got one."""
    changed: list[str] = []
    for role in (*sorted(ROLES), PUBLIC):
        file = directory / f"{role}.toml"
        versions = tuple(_read_versions(file)) if file.exists() else ()
        before = permissions_at(versions, len(versions))
        after = current_permissions(role, role_permissions)
        if before != after:
            entry = _render_entry(len(versions) + 1, today, after - before, before - after)
            earlier = file.read_text() + "\n" if file.exists() else ""
            file.write_text(earlier + entry)
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
    lines = (
        "[[version]]",
        f"number = {number}",
        f"since = {since.isoformat()}",
        f"adds = {_render_list(adds)}",
        f"removes = {_render_list(removes)}",
    )
    return "\n".join(lines) + "\n"


def _render_list(permissions: frozenset[str]) -> str:
    if not permissions:
        return "[]"
    lines = "".join(f'    "{permission}",\n' for permission in sorted(permissions))
    return f"[\n{lines}]"


if __name__ == "__main__":
    changed_roles = write_missing(HISTORY_DIRECTORY, datetime.now(UTC).date())
    sys.stdout.write("".join(f"{role}\n" for role in changed_roles))
