"""Keeps the current route table and swaps it while the gateway runs.

Not here: what a route is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.routing.parser import RoutesInvalid, parse_routes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.access.permissions import RolePermissions
    from gateway.host_group import Group
    from gateway.routing.table import Route, RouteTable

log = structlog.get_logger(__name__)


class RouteReloader:
    """Holds the current table. `generation` counts the tables since the start.

    `problems` says why the newest file was refused; it is empty while that file is in use.
    """

    def __init__(self, file: Path, role_permissions: RolePermissions) -> None:
        self._file = file
        self._role_permissions = role_permissions
        self._loaded_stamp = self._read_stamp()
        self.table = self._parse()
        self.generation = 1
        self.problems: tuple[str, ...] = ()

    def match(self, group: Group, path: str) -> Mapping[str, Route] | None:
        """Return the routes of this path in the current table; None if there is none."""
        return self.table.match(group, path)

    def refresh(self) -> bool:
        """Read the file if it changed; return whether its table is now in use.

        An invalid file changes nothing.
        """
        stamp = self._read_stamp()
        if stamp == self._loaded_stamp:
            return False
        self._loaded_stamp = stamp
        try:
            table = self._parse()
        except RoutesInvalid as error:
            self._reject(error.problems)
            return False
        except (OSError, UnicodeDecodeError) as error:
            self._reject((f"cannot be read: {type(error).__name__}",))
            return False
        self.table = table
        self.problems = ()
        self.generation += 1
        log.info("new routes in use", generation=self.generation, routes=len(table.routes))
        return True

    def _parse(self) -> RouteTable:
        return parse_routes(self._file.read_text(), self._role_permissions)

    def _reject(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        log.error(
            "routes refused, the previous table stays",
            generation=self.generation,
            problems=problems,
        )

    def _read_stamp(self) -> tuple[int, int, int] | None:
        """Return inode, modification time and size of the file; None if it does not exist.

        It does not exist for a moment while Kubernetes replaces a configuration volume.
        """
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
