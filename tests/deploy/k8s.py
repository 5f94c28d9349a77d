"""The manifests of deploy/k8s as kustomize renders them. Not here: tests."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import yaml
from pydantic import AliasChoices

from chassis.settings import Settings
from ops.local import topology
from ops.local.state_dir import ROOT

K8S = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "region", "national")
OURS = {service.name: service for service in topology.PROCESSES}
WORKLOADS = ("Deployment", "Job")
WATCHED = ("region", "national")  # the overlays with the on-call server
WATCHING = {"oncall"}
NAME_LABEL = "app.kubernetes.io/name"
Object = dict[str, Any]
Flow = tuple[str, str, int]  # from, to, port


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
    return [item for item in rendered(overlay) if item["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Object:
    [item] = [item for item in of(overlay, kind) if item["metadata"]["name"] == name]
    return item


def of_ours(overlay: str, *kinds: str) -> list[Object]:
    """Return the objects of our processes, without those of the on-call server."""
    return [
        item
        for item in of(overlay, *kinds)
        if item["metadata"]["name"].removesuffix("-prepare") not in WATCHING
    ]


def container(workload: Object) -> Object:
    [only] = workload["spec"]["template"]["spec"]["containers"]
    return only


def app(workload: Object) -> str:
    return workload["spec"]["template"]["metadata"]["labels"][NAME_LABEL]


def settings_class(service: str) -> type[Settings]:
    module = importlib.import_module(f"{OURS[service].module}.settings")
    classes = [member for member in vars(module).values() if isinstance(member, type)]
    [settings] = [it for it in classes if issubclass(it, Settings) and it.prefix]
    return settings


def variables(service: str) -> dict[str, bool]:
    """Return the variables that a service's settings read, and whether each is required."""
    settings = settings_class(service)
    names: dict[str, bool] = {}
    for name, field in settings.model_fields.items():
        variable = f"{settings.prefix}{name}".upper()
        if isinstance(field.validation_alias, AliasChoices):
            variable = str(field.validation_alias.choices[0])
        names[variable] = field.is_required()
    return names


def environment_of(overlay: str, workload: Object) -> dict[str, str]:
    """Return the environment of the only container; a value from a field is ''."""
    environment: dict[str, str] = {}
    for source in container(workload).get("envFrom", ()):
        environment |= named(overlay, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container(workload).get("env", ()):
        environment[variable["name"]] = variable.get("value", "")
    return environment


def files(workload: Object) -> dict[str, dict[str, str | None]]:
    """Return, for each mounted Secret, which key is which file; a whole Secret is {"*": None}."""
    mounted: dict[str, dict[str, str | None]] = {}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        for secret in _secrets_of(volume):
            name = secret.get("name") or secret["secretName"]
            mounted[name] = {item["key"]: item["path"] for item in secret.get("items", ())}
            if "items" not in secret:
                mounted[name] = {"*": None}
    return mounted


def _secrets_of(volume: Object) -> list[Object]:
    projected = [source["secret"] for source in volume.get("projected", {}).get("sources", ())]
    return [*projected, volume["secret"]] if "secret" in volume else projected


def apps_of(selector: Object) -> set[str]:
    """Return the processes of ours that a selector selects; others by a label of their own."""
    for expression in selector.get("matchExpressions", ()):
        if expression["key"] == NAME_LABEL:
            return set(expression["values"])
    labels = selector.get("matchLabels", {})
    if NAME_LABEL in labels:
        return {labels[NAME_LABEL]}
    return {cast("str", labels.get("strimzi.io/name") or labels.get("app", "*"))}


def flows(overlay: str, direction: str) -> Iterator[Flow]:
    """Yield each allowed flow; a peer outside is named by its namespace, or "outside"."""
    side = "from" if direction == "ingress" else "to"
    for policy in of(overlay, "NetworkPolicy"):
        own = apps_of(policy["spec"]["podSelector"])
        for rule in policy["spec"].get(direction, ()):
            peers = _peers(rule.get(side, ()))
            ports = [port["port"] for port in rule["ports"]]
            for here in own:
                yield from _flows_between(here, peers, ports, direction)


def _peers(entries: list[Object]) -> set[str]:
    peers: set[str] = set()
    for peer in entries:
        if "namespaceSelector" in peer:
            labels = peer["namespaceSelector"]["matchLabels"]
            peers.add(f"namespace {labels['kubernetes.io/metadata.name']}")
        elif "ipBlock" in peer:
            peers.add("outside")
        else:
            peers |= apps_of(peer["podSelector"])
    return peers or {"anywhere"}


def _flows_between(
    here: str, peers: set[str], ports: list[str | int], direction: str
) -> Iterator[Flow]:
    for there in peers:
        for port in ports:
            if direction == "ingress":
                yield there, here, _port(port, here)
            else:
                yield here, there, _port(port, there)


def _port(number: str | int, app_name: str) -> int:
    if number == "http":
        return OURS[app_name].listener.container_port
    return int(number)
