"""Tasks of all services: each kind has a role, a due date, resolutions with acts and texts."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from chassis.texts import load_texts
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.permissions.roles import ROLES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("service", ["marketplace", "training"])
def test_each_kind_of_task_has_its_role_and_resolutions_with_texts(service: str) -> None:
    """An act is a route of the service that some role may use."""
    rules = importlib.import_module(f"services.{service}.tasks.rules")
    texts = load_texts(ROOT / "services" / service / "texts.toml")
    permissions = set[str]().union(*ROLE_PERMISSIONS.by_service[service].values())
    assert set(rules.KINDS) == set(rules.TaskKind)
    for kind, of_kind in rules.KINDS.items():
        codes = [resolution.code for resolution in of_kind.resolutions]
        acts = {resolution.act for resolution in of_kind.resolutions} - {""}
        assert f"tasks.{kind}" in texts
        assert of_kind.role in ROLES
        assert of_kind.due_days > 0
        assert len(codes) == len(set(codes)) > 0
        assert {f"resolutions.{code}" for code in codes} <= texts.keys()
        assert acts <= permissions, kind
