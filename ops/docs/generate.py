"""The command `docs`: writes every file that is generated from code and data.

Not here: the content of each file (`event_catalog`, `metrics`, `slos`, `alerts`, `dashboards`,
`deployment`, `drawing`, `help_texts`).
"""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import FastAPI

from chassis.app.service import Service
from chassis.jobs.audit_sealer import anchor_type
from chassis.settings import Settings
from ops.docs import (
    alerts,
    dashboards,
    deployment,
    drawing,
    help_texts,
    metrics,
    slos,
)
from ops.docs.event_catalog import ServiceEvents, find_unread, render_asyncapi, render_table
from ops.local import secrets, topology
from ops.local.state_dir import ROOT

EVENTS = ROOT / "docs" / "events.md"
ASYNCAPI = ROOT / "docs" / "asyncapi.json"
_NOWHERE = "127.0.0.1:1"  # nothing listens there


def create_apps() -> dict[str, FastAPI]:
    """Return the app of each service, with throw-away keys and addresses without servers."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        secrets.make_secrets(directory)
        return {service.name: _create_app(service, directory) for service in topology.SERVICES}


def _create_app(service: topology.Service, directory: Path) -> FastAPI:
    settings_class = _find_settings_class(importlib.import_module(f"{service.module}.settings"))
    values: dict[str, Any] = dict.fromkeys(service.directories, directory)
    for name in settings_class.model_fields:
        if name.endswith("_url"):
            values[name] = f"http://{_NOWHERE}"
    values["mongo_url"] = f"mongodb://{_NOWHERE}/{service.name}"
    values["trusted_keys"] = directory / "trusted"
    values["port"] = 0
    values["environment"] = "development"
    values["_secrets_dir"] = directory / service.name
    return importlib.import_module(f"{service.module}.app").create_app(settings_class(**values))


def read_catalogue() -> list[ServiceEvents]:
    """Return the published and consumed events of each process, with the anchors of its audit.

    The gateway publishes anchors alone and consumes nothing.
    """
    catalogue: list[ServiceEvents] = []
    for name, app in create_apps().items():
        service: Service[Any] = app.state.service
        consumed = {topic: tuple(kinds) for topic, kinds in service.handlers.items()}
        published = (*service.published, anchor_type(name))
        catalogue.append(ServiceEvents(service=name, published=published, consumed=consumed))
    gateway = topology.GATEWAY.name
    anchors = (anchor_type(gateway),)
    return [*catalogue, ServiceEvents(service=gateway, published=anchors, consumed={})]


def render_documents() -> dict[Path, str]:
    """Return the expected text of each generated file."""
    catalogue = read_catalogue()
    asyncapi = json.dumps(render_asyncapi(catalogue), indent=1, ensure_ascii=False, sort_keys=True)
    slo_rules = slos.render_rules()
    monitoring = metrics.replace_sections(
        metrics.DOCUMENT.read_text(encoding="utf-8"),
        metrics=metrics.render_table(),
        objectives=slos.render_table(),
        alerts=alerts.render_table(slo_rules),
        exporters=metrics.render_exporters(),
    )
    return {
        EVENTS: render_table(catalogue),
        ASYNCAPI: asyncapi + "\n",
        slos.RULES: slo_rules,
        alerts.PROMETHEUS_RULES: alerts.render_prometheus_rules(slo_rules),
        metrics.DOCUMENT: monitoring,
        **dashboards.render_dashboards(),
        **help_texts.render(),
        **render_topology(),
    }


def render_topology() -> dict[Path, str]:
    """Return the expected text of each file that depends on the topology table alone."""
    return {
        **deployment.render_deployment(),
        alerts.PIPELINE_RULES: alerts.render_pipeline_rules(),
        drawing.DRAWING: drawing.render_drawing(),
    }


def write_documents() -> int:
    """Write the files; return 1 if an event is not read or a read type not published, else 0."""
    for file, text in render_documents().items():
        file.write_text(text, encoding="utf-8")
    return 1 if find_unread(read_catalogue()) else 0


def _find_settings_class(module: ModuleType) -> type[Settings]:
    for member in vars(module).values():
        if isinstance(member, type) and issubclass(member, Settings) and member is not Settings:
            return member
    raise LookupError(f"{module.__name__} has no settings class")
