"""The images and docker-compose.yml are the same system as `./bina up`: same parts, same ports, nothing open, no password."""

import re
from typing import Any, cast

import pytest
import yaml

from ops import parts
from ops.home import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
DOCKERFILES = {service.name: ROOT / service.module.replace(".", "/") / "Dockerfile" for service in parts.OURS}


@pytest.mark.parametrize("service", parts.OURS, ids=lambda service: service.name)
def test_a_part_of_ours_runs_confined_and_is_told_what_up_tells_it(service: parts.Service) -> None:
    here = SERVICES[service.name]
    told = cast("dict[str, str]", here["environment"])
    assert (here["read_only"], here["cap_drop"], here["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert told[f"{service.prefix}_PORT"] == service.listener.offset + parts.BASE_PORT
    for peer in parts.SERVICES:
        if peer is not service:
            assert told[f"{service.prefix}_{peer.prefix}_URL"] == f"http://{peer.name}:{parts.BASE_PORT + peer.listener.offset}"
    assert {f"{service.prefix}_{name.upper()}" for name in service.directories} <= told.keys()
    assert f"{service.name}-secrets:/secrets:ro" in here["volumes"]
    assert [volume for volume in here["volumes"] if "-secrets" in volume and not volume.startswith(service.name)] == []


def test_only_the_gateway_the_dashboards_and_the_rota_are_reached_and_only_from_this_host() -> None:
    published = {name: here["ports"] for name, here in SERVICES.items() if "ports" in here}
    assert set(published) == {"gateway", "grafana", "prometheus", "rota"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_no_secret_stands_in_the_file() -> None:
    names = [name for here in SERVICES.values() for name in here.get("environment", {})]
    assert [name for name in names if re.search(r"PASSWORD|SECRET(?!S_DIR)|_KEY$|TOKEN", name)] == []


@pytest.mark.parametrize("service", parts.OURS, ids=lambda service: service.name)
def test_an_image_holds_its_own_folder_and_the_chassis_and_runs_as_nobody_special(service: parts.Service) -> None:
    lines = DOCKERFILES[service.name].read_text().splitlines()
    own = service.module.replace(".", "/")
    copied = [line for line in lines if line.startswith("COPY ")]
    assert copied == [
        "COPY requirements-runtime.lock .",
        "COPY chassis chassis",
        *(["COPY services/__init__.py services/"] if "/" in own else []),
        f"COPY {own} {own}",
    ]
    assert "FROM python:3.11-slim-bookworm" in lines
    assert "USER 10001" in lines
    assert f'CMD ["python", "-m", "{service.module}"]' in lines


def test_all_images_are_the_same_up_to_the_packages_so_that_a_host_keeps_one_copy() -> None:
    heads = {path.read_text().partition("\n")[2].partition("COPY chassis")[0] for path in [*DOCKERFILES.values(), ROOT / "deploy/compose/Dockerfile"]}
    assert len(heads) == 1


def test_prometheus_asks_every_part_where_it_tells_its_metrics() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    expected = {f"{service.name}:{parts.BASE_PORT + service.listener.offset + service.probes}" for service in parts.OURS}
    assert set(config["scrape_configs"][0]["static_configs"][0]["targets"]) == expected
