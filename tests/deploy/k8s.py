"""The manifests of deploy/k8s as kustomize renders them, and what the settings of each part read. Not here: any test."""

from __future__ import annotations

import importlib
import subprocess
from functools import cache
from typing import Any

import yaml
from pydantic import AliasChoices

from chassis.settings import Settings
from ops.local import topology
from ops.local.state_dir import ROOT

K8S = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "region", "national")
OURS = {service.name: service for service in topology.PROCESSES}
WORKLOADS = ("Deployment", "Job")
WATCHED, WATCHING = ("region", "national"), {"oncall"}
Object = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    built = subprocess.run(
        ["kustomize", "build", str(K8S / "overlays" / overlay)],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return tuple(yaml.safe_load_all(built.stdout))


def of(overlay: str, *kinds: str) -> list[Object]:
    return [one for one in rendered(overlay) if one["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Object:
    [found] = [one for one in of(overlay, kind) if one["metadata"]["name"] == name]
    return found


def of_ours(overlay: str, *kinds: str) -> list[Object]:
    """Those of the parts themselves; beside them is only what watches."""
    return [
        one
        for one in of(overlay, *kinds)
        if one["metadata"]["name"].removesuffix("-prepare") not in WATCHING
    ]


def container(workload: Object) -> Object:
    [one] = workload["spec"]["template"]["spec"]["containers"]
    return one


def app(workload: Object) -> str:
    return workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]


def settings_class(service: str) -> type[Settings]:
    module = importlib.import_module(f"{OURS[service].module}.settings")
    [found] = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Settings) and one.prefix
    ]
    return found


def variables(service: str) -> dict[str, bool]:
    """The names that the service's settings read, and whether each must be given."""
    kind = settings_class(service)
    named: dict[str, bool] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        spelt = (
            str(alias.choices[0])
            if isinstance(alias, AliasChoices)
            else f"{kind.prefix}{name}".upper()
        )
        named[spelt] = field.is_required()
    return named


def told(overlay: str, workload: Object) -> dict[str, str]:
    """The environment of the one container, by name; what is taken from a field stands as ''."""
    one, found = container(workload), dict[str, str]()
    for source in one.get("envFrom", ()):
        found |= named(overlay, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {variable["name"]: variable.get("value", "") for variable in one.get("env", ())}


def files(workload: Object) -> dict[str, dict[str, str | None]]:
    """Of each Secret that the workload mounts whole or in part: which of its keys is which file; a whole one stands as {'*': None}."""
    found: dict[str, dict[str, str | None]] = {}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        sources = [
            source["secret"] for source in volume.get("projected", {}).get("sources", ())
        ] + ([volume["secret"]] if "secret" in volume else [])
        for source in sources:
            name = source.get("name") or source["secretName"]
            found[name] = (
                {item["key"]: item["path"] for item in source["items"]}
                if "items" in source
                else {"*": None}
            )
    return found
