"""Stores incidents in one file.

It uses no database, because the on-call server must not depend on what it monitors.
Not here: changes of incidents (rules).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ops.oncall.rules import Incident

_INCIDENTS = TypeAdapter(dict[str, Incident])
MAX_RESOLVED = 100
log = logging.getLogger("bina.oncall")


class IncidentStore:
    """Incidents by the key of their group, stored across restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.incidents: dict[str, Incident] = self._read() if file.exists() else {}

    def _read(self) -> dict[str, Incident]:
        """Return the stored incidents; move an unreadable file aside.

        A server that does not start would notify nobody. Alertmanager sends firing alerts again.
        """
        try:
            return _INCIDENTS.validate_json(self._file.read_bytes())
        except ValidationError:
            moved_to = self._file.rename(self._file.with_suffix(".unreadable"))
            log.exception("the incident file cannot be read and was moved to %s", moved_to)
            return {}

    def save(self, incident: Incident) -> None:
        """Store an incident, and delete the oldest resolved ones beyond MAX_RESOLVED."""
        self.incidents[incident.key] = incident
        resolved = [kept for kept in self.incidents.values() if kept.over and not kept.closing]
        resolved.sort(key=lambda kept: kept.since)
        for old in resolved[:-MAX_RESOLVED]:
            del self.incidents[old.key]
        draft = self._file.with_suffix(".new")
        with draft.open("wb") as out:
            out.write(_INCIDENTS.dump_json(self.incidents))
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, self._file)  # noqa: PTH105 - its documentation promises atomicity

    def find_by_id(self, id_: str) -> Incident | None:
        """Return the incident of this id, or None."""
        return next((kept for kept in self.incidents.values() if kept.id == id_), None)
