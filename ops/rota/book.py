"""Where incidents are kept: one file beside the process, which depends on nothing that it watches. Not here: what becomes of them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter

from ops.rota.rules import Incident

_ALL = TypeAdapter(dict[str, Incident])
MOST_OVER = 100


class Book:
    """The incidents by the key of their group; a restart forgets none."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.incidents: dict[str, Incident] = _ALL.validate_json(file.read_bytes()) if file.exists() else {}

    def put(self, incident: Incident) -> None:
        """Keep it as it is now; the oldest of those that are over are forgotten."""
        self.incidents[incident.key] = incident
        over = sorted((one for one in self.incidents.values() if one.over and not one.closing), key=lambda one: one.since)
        for old in over[:-MOST_OVER]:
            del self.incidents[old.key]
        beside = self._file.with_suffix(".new")
        beside.write_bytes(_ALL.dump_json(self.incidents))
        os.replace(beside, self._file)  # noqa: PTH105 - atomic, and said so

    def of(self, id_: str) -> Incident | None:
        """The incident of this id."""
        return next((one for one in self.incidents.values() if one.id == id_), None)
