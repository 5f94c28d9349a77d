"""Where incidents are kept: one file beside the process, which depends on nothing that it watches. Not here: what becomes of them."""

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
    """The incidents by the key of their group; a restart forgets none."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.incidents: dict[str, Incident] = self._read() if file.exists() else {}

    def _read(self) -> dict[str, Incident]:
        """What is kept. A file that cannot be read is put aside: a oncall that does not start tells nobody of anything, and what fires Alertmanager says again."""
        try:
            return _INCIDENTS.validate_json(self._file.read_bytes())
        except ValidationError:
            aside = self._file.rename(self._file.with_suffix(".unreadable"))
            log.exception("the book cannot be read and lies in %s", aside)
            return {}

    def save(self, incident: Incident) -> None:
        """Keep it as it is now; the oldest of those that are over are forgotten."""
        self.incidents[incident.key] = incident
        over = sorted(
            (one for one in self.incidents.values() if one.over and not one.closing),
            key=lambda one: one.since,
        )
        for old in over[:-MAX_RESOLVED]:
            del self.incidents[old.key]
        beside = self._file.with_suffix(".new")
        with beside.open("wb") as out:
            out.write(_INCIDENTS.dump_json(self.incidents))
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, self._file)  # noqa: PTH105 - atomic, and said so

    def find_by_id(self, id_: str) -> Incident | None:
        """The incident of this id."""
        return next((one for one in self.incidents.values() if one.id == id_), None)
