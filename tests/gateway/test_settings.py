"""The proxies whose word about a client's address the gateway takes."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.host_group import Group
from ops.local.state_dir import ROOT
from tests.fakes import Keys
from tests.gateway.harness import new_key, settings
from tests.gateway.region import FILE

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "development_key": "",
    "issuer_key": new_key(),
    **{f"{group}_hosts": (f"{group}.example",) for group in Group},
}
OFFICE_ADDRESSES = ("10.0.0.1", "10.1.2.3", "10.96.0.10", "172.16.5.5", "192.168.1.20")


@pytest.mark.parametrize("network", ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "10.244.0.0/15"])
def test_production_refuses_a_network_of_offices_as_proxies(tmp_path: Path, network: str) -> None:
    keys = Keys.make(tmp_path)
    more = PRODUCTION | {"trusted_proxies": network}
    with pytest.raises(ValueError, match="GATEWAY_TRUSTED_PROXIES"):
        settings(keys, "", "https://service.example", 7080, FILE, **more)


@pytest.mark.parametrize("network", ["10.244.255.0/28", "10.244.0.0/16", "fd00:1:2::/64"])
def test_production_accepts_a_range_of_pods_as_proxies(tmp_path: Path, network: str) -> None:
    keys = Keys.make(tmp_path)
    more = PRODUCTION | {"trusted_proxies": network}
    accepted = settings(keys, "", "https://service.example", 7080, FILE, **more).trusted_proxies
    assert [str(one) for one in accepted] == [network]


@pytest.mark.parametrize("overlay", ["region", "national"])
def test_an_overlay_trusts_the_ingress_pods_and_no_office(overlay: str) -> None:
    text = (ROOT / "deploy" / "k8s" / "overlays" / overlay / "kustomization.yaml").read_text()
    [value] = re.findall(r"GATEWAY_TRUSTED_PROXIES=(\S+)", text)
    network = ipaddress.ip_network(value)
    assert network.num_addresses <= 256
    offices = [address for address in OFFICE_ADDRESSES if ipaddress.ip_address(address) in network]
    assert offices == []
