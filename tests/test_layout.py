"""The house stands as CONTRIBUTING.md says: names, sizes, who may import what."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICES = ("certification", "manpower", "marketplace", "training")
NOUN_FILES = {"api", "jobs", "rules", "store", "usecases"}
DRIVERS = {
    "aiokafka": ("chassis/messaging/kafka.py",),
    "bson": ("chassis/persistence/mongo.py",),
    "confluent_kafka": ("ops/local/kafka_admin.py",),
    "motor": ("chassis/persistence/mongo.py",),
    "pymongo": ("chassis/persistence/mongo.py", "chassis/persistence/pool_metrics.py"),
}


def tracked(*folders: str) -> list[Path]:
    """Files of the repository below these folders; what git does not know is nobody's yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders],  # noqa: S607 - git of the checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).exists()]


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked(*folders) if path.suffix == ".py"]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def placed() -> set[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return {
        line.partition("=")[0].strip()
        for contract in contracts
        for line in contract.get("placed", ())
    }


def test_the_chassis_is_flat_and_each_module_says_what_does_not_belong_in_it() -> None:
    found = modules("chassis")
    assert {path.parent for path in found} == {ROOT / "chassis"}
    silent = [
        path.name
        for path in found
        if path.name != "__init__.py"
        and "not here" not in (ast.get_docstring(ast.parse(path.read_text())) or "").lower()
    ]
    assert [name for name in silent if name != "kafka.py"] == []


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "common", "helpers", "helper", "base", "core", "misc"}
    named = [
        path.relative_to(ROOT) for path in tracked() if ROOT / "deploy/k8s/base" not in path.parents
    ]
    assert [
        str(path) for path in named if {part.partition(".")[0] for part in path.parts} & empty
    ] == []


def test_no_module_is_longer_than_400_lines() -> None:
    assert {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := len(path.read_text().splitlines())) > 400
    } == {}


@pytest.mark.parametrize("driver", DRIVERS)
def test_only_its_seam_imports_a_driver(driver: str) -> None:
    free = ("tests/", "ops/bench/reference/", *DRIVERS[driver])
    users = [
        name
        for path in modules()
        if not (name := str(path.relative_to(ROOT))).startswith(free)
        and any(used.split(".")[0] == driver for used in imports(path))
    ]
    assert users == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_papers_and_its_composition_root(service: str) -> None:
    expected = {"README.md", "Dockerfile", "__main__.py", "app.py", "events.py", "settings.py"}
    assert expected - {path.name for path in (ROOT / "services" / service).iterdir()} == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_noun_folder_holds_only_the_four_files_and_what_pyproject_places(service: str) -> None:
    allowed = placed()
    strange = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules(f"services/{service}")
        if path.parent != ROOT / "services" / service and path.stem not in {*NOUN_FILES, "__init__"}
    ]
    assert [name for name in strange if name not in allowed] == []


def test_nothing_names_a_machine_or_a_package_index() -> None:
    words = [
        "/" + "work/",
        "/" + "root/",
        "files." + "pythonhosted",
        "repo1." + "maven",
        "pypi." + "org/",
        "registry." + "npmjs",
    ]
    texts = {
        path: path.read_text(errors="ignore")
        for path in tracked()
        if path.suffix in {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".lock", ""}
    }
    assert [
        (str(path.relative_to(ROOT)), word)
        for path, text in texts.items()
        for word in words
        if word in text
    ] == []
