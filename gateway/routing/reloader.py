"""Keeps the routes in force and swaps them while the gateway runs. Not here: what a route is (routes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.routing import table as routing_table

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.access.permissions import RolePermissions

log = structlog.get_logger(__name__)


class RouteReloader:
    """The table in force. `generation` counts the swaps, `problems` says why the newest file was refused."""

    def __init__(self, file: Path, role_permissions: RolePermissions) -> None:
        self._file, self._role_permissions = file, role_permissions
        self._loaded_stamp = self._read_stamp()
        self.table = routing_table.parse_routes(file.read_text(), self._role_permissions)
        self.generation = 1
        self.problems: tuple[str, ...] = ()

    def refresh(self) -> bool:
        """Read the file when it changed; True when its table came into force. A file that cannot be used changes nothing."""
        stamp = self._read_stamp()
        if stamp == self._loaded_stamp:
            return False
        self._loaded_stamp = stamp
        try:
            table = routing_table.parse_routes(self._file.read_text(), self._role_permissions)
        except (routing_table.RoutesInvalid, OSError, UnicodeDecodeError) as error:
            return self._reject(
                error.problems
                if isinstance(error, routing_table.RoutesInvalid)
                else (f"cannot be read: {type(error).__name__}",)
            )
        self.table, self.problems = table, ()
        self.generation += 1
        log.info("routes in force", generation=self.generation, routes=len(table.routes))
        return True

    def _reject(self, problems: tuple[str, ...]) -> bool:
        self.problems = problems
        log.error(
            "routes refused, the former table stays", generation=self.generation, problems=problems
        )
        return False

    def _read_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None  # a configuration volume is being replaced
        return status.st_ino, status.st_mtime_ns, status.st_size
