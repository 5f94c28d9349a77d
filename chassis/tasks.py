"""Tasks of officers: their states, and how each kind may be resolved.

Not here: the kinds of tasks, which are those of a service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Refused
from chassis.texts import TEXTS


class ResolutionUnknown(Refused):
    """The resolution is not one of its kind; `resolutions` are those."""

    title = TEXTS["errors.resolution_unknown"]
    field = "resolution"


class TaskState(StrEnum):
    """Open, seen by an officer, or resolved."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True)
class Resolution:
    """One way to resolve a task: its code, and the route that performs its act, if any."""

    code: str
    act: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKindRules:
    """Who resolves a kind of task, how many days it may take, and the closed list of ways."""

    role: str
    due_days: int
    resolutions: Sequence[Resolution]

    def require_resolution(self, code: str) -> None:
        """Raise ResolutionUnknown unless the code is in the list."""
        codes = [resolution.code for resolution in self.resolutions]
        if code not in codes:
            raise ResolutionUnknown(resolutions=codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCount:
    """The unresolved tasks of one kind: how many, and how many of them are overdue."""

    kind: str
    unresolved: int
    overdue: int
