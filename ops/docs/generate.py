"""The command `docs`: writes what is generated from code and data, of events, metrics and dashboards. Not here: what it looks like (catalog, metrics, slos, dashboards)."""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI

from chassis.app.service import Service
from chassis.settings import Settings
from ops.docs import alerts, dashboards, metrics, slos
from ops.docs.event_catalog import ServiceEvents, find_unread, render_asyncapi, render_table
from ops.local import secrets, topology
from ops.local.state_dir import ROOT

EVENTS, ASYNCAPI = ROOT / "docs" / "events.md", ROOT / "docs" / "asyncapi.json"


def create_apps() -> dict[str, FastAPI]:
    """Each service's app as it is composed, with throw-away keys and servers that do not exist."""
    made: dict[str, FastAPI] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        secrets.make_secrets(place)
        for service in topology.SERVICES:
            settings_class = _find_settings_class(
                importlib.import_module(f"{service.module}.settings")
            )
            told: dict[str, Any] = dict.fromkeys(service.directories, place) | {
                name: "http://127.0.0.1:1"
                for name in settings_class.model_fields
                if name.endswith("_url")
            }
            told |= {
                "mongo_url": f"mongodb://127.0.0.1:1/{service.name}",
                "trusted_keys": place / "trusted",
                "port": 0,
                "environment": "development",
                "_secrets_dir": place / service.name,
            }
            made[service.name] = importlib.import_module(f"{service.module}.app").create_app(
                settings_class(**told)
            )
    return made


def read_catalogue() -> list[ServiceEvents]:
    """What each service publishes and reads."""
    found: list[ServiceEvents] = []
    for name, app in create_apps().items():
        service: Service[Any] = app.state.service
        found.append(
            ServiceEvents(
                service=name,
                published=tuple(service.published),
                consumed={topic: tuple(kinds) for topic, kinds in service.handlers.items()},
            )
        )
    return found


def render_documents() -> dict[Path, str]:
    """Each generated document with the text it should have."""
    known = read_catalogue()
    watched = metrics.replace_sections(
        metrics.DOCUMENT.read_text(encoding="utf-8"),
        metrics=metrics.render_table(),
        objectives=slos.render_table(),
        alerts=alerts.render_table(slos.render_rules()),
    )
    return {
        EVENTS: render_table(known),
        ASYNCAPI: json.dumps(render_asyncapi(known), indent=1, ensure_ascii=False, sort_keys=True)
        + "\n",
        slos.RULES: slos.render_rules(),
        alerts.PROMETHEUS_RULES: alerts.render_prometheus_rules(slos.render_rules()),
        metrics.DOCUMENT: watched,
    } | dashboards.render_dashboards()


def write_documents() -> int:
    """Write them; the exit status is 1 when an event has no reader or a reader no event."""
    for file, text in render_documents().items():
        file.write_text(text, encoding="utf-8")
    return 1 if find_unread(read_catalogue()) else 0


def _find_settings_class(module: Any) -> type[Settings]:
    members: list[Any] = list(cast("dict[str, Any]", vars(module)).values())
    return next(
        found
        for found in members
        if isinstance(found, type) and issubclass(found, Settings) and found is not Settings
    )
