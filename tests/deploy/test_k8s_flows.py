"""The network policies of deploy/k8s allow what the code calls, and nothing else."""

from __future__ import annotations

import pytest
import yaml

from ops.local import topology
from tests.deploy.k8s import (
    K8S,
    OURS,
    OVERLAYS,
    Flow,
    flows,
    named,
    of,
    settings_class,
)

pytestmark = pytest.mark.needs("kustomize")


def calls() -> set[Flow]:
    """Return who calls whom: a process calls another whose address its settings name."""
    allowed: set[Flow] = set()
    for caller in OURS:
        fields = settings_class(caller).model_fields
        for callee, service in OURS.items():
            if f"{callee}_url" in fields:
                allowed.add((caller, callee, service.container_probe_port))
    return allowed


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_policies_allow_exactly_the_internal_calls_at_both_ends(
    overlay: str,
) -> None:
    for direction in ("ingress", "egress"):
        between = {flow for flow in flows(overlay, direction) if {flow[0], flow[1]} <= OURS.keys()}
        assert between == calls(), direction


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_part_reaches_its_servers_and_is_reached_by_whom_it_serves(overlay: str) -> None:
    coming = set(flows(overlay, "ingress"))
    going = set(flows(overlay, "egress"))
    kafka = int(
        yaml.safe_load((K8S / "base/kustomization.yaml").read_text())["configMapGenerator"][0][
            "literals"
        ][1].rpartition(":")[2]
    )
    mongo = {("outside", 27017)} if overlay == "national" else {("mongo-svc", 27017)}
    expected = {("bina-kafka", kafka)} | mongo
    for name, service in OURS.items():
        assert {
            (there, port)
            for here, there, port in going
            if here == name and there not in OURS and port != 443
        } == expected
        metrics = topology.BASE_PORT + service.listener.offset + service.probe_offset
        watched = {(who, port) for who, here, port in coming if here == name and who not in OURS}
        assert watched == {("namespace monitoring", metrics)} | (
            {("namespace ingress-nginx", topology.BASE_PORT)} if name == "gateway" else set()
        )
        assert (name, "bina-kafka", kafka) in coming
    assert {here for here, _, port in going if port == 443 and here in OURS} == (
        {"gateway"} if overlay != "dev" else set()
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_first_nothing_flows_at_all(overlay: str) -> None:
    assert named(overlay, "NetworkPolicy", "deny-all")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for policy in of(overlay, "NetworkPolicy"):
        assert {direction.lower() for direction in policy["spec"]["policyTypes"]} >= policy[
            "spec"
        ].keys() & {"ingress", "egress"}
        assert all(
            rule.get("ports")
            for direction in ("ingress", "egress")
            for rule in policy["spec"].get(direction, ())
        ), "every rule names its ports"
