"""The layout of the repository: names, sizes, and who may import what."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import syntax_trees

ROOT = Path(__file__).parents[1]
SERVICES = ("certification", "manpower", "marketplace", "training")
NOUN_FILES = {"api", "jobs", "rules", "store", "usecases"}
DRIVERS = {
    "aiokafka": ("chassis/messaging/kafka.py", "chassis/messaging/kafka_topics.py"),
    "bson": ("chassis/persistence/drivers/mongo_codec.py",),
    "confluent_kafka": ("ops/local/kafka_admin.py",),
    "gridfs": ("chassis/persistence/mongo.py",),
    "motor": ("chassis/persistence/mongo.py",),
    "pymongo": (
        "chassis/persistence/mongo.py",
        "chassis/persistence/drivers/mongo_errors.py",
        "chassis/persistence/drivers/pool_metrics.py",
    ),
}


def tracked(*folders: str) -> list[Path]:
    """Return the tracked files below these folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders],  # noqa: S607 - git of the checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.exists()]


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked(*folders) if path.suffix == ".py"]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(syntax_trees.parse(path.read_text())):
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


def packages() -> list[Path]:
    """Return the product's packages: each folder with modules."""
    product = modules("chassis", "gateway", "ops", "services")
    return sorted({path.parent for path in product} - {ROOT / "ops/bench/reference"})


def description(package: Path) -> str:
    """Return a package's docstring with its README."""
    said = ast.get_docstring(syntax_trees.parse((package / "__init__.py").read_text())) or ""
    readme = package / "README.md"
    return said + (readme.read_text() if readme.exists() else "")


def is_noun(package: Path) -> bool:
    """Return whether the package is a noun folder of a service or of access."""
    parents = {ROOT / "services" / name for name in SERVICES} | {ROOT / "gateway/access"}
    return package.parent in parents


def test_each_package_says_what_it_is_and_what_does_not_belong_in_it() -> None:
    silent = [
        str(package.relative_to(ROOT))
        for package in packages()
        if not is_noun(package) and "not here" not in description(package).lower()
    ]
    assert silent == []


def test_no_package_has_more_than_15_modules() -> None:
    sizes = {
        str(package.relative_to(ROOT)): len(list(package.glob("*.py"))) for package in packages()
    }
    # __init__ included
    allowed = {"gateway/middleware": 31, "ops/local": 31}
    assert {name: size for name, size in sizes.items() if size > allowed.get(name, 16)} == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "common", "helpers", "helper", "base", "core", "misc"}
    named = [
        path.relative_to(ROOT) for path in tracked() if ROOT / "deploy/k8s/base" not in path.parents
    ]
    assert [
        str(path) for path in named if {part.partition(".")[0] for part in path.parts} & empty
    ] == []


def test_no_module_is_longer_than_400_lines() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


@pytest.mark.parametrize("driver", DRIVERS)
def test_only_its_seam_imports_a_driver(driver: str) -> None:
    free = ("tests/", "ops/bench/reference/", *DRIVERS[driver])
    bound = {
        str(path.relative_to(ROOT)): {name.split(".")[0] for name in imports(path)}
        for path in modules()
    }
    users = [name for name, used in bound.items() if driver in used and not name.startswith(free)]
    assert users == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_documents_and_its_composition_root(service: str) -> None:
    expected = {"README.md", "Dockerfile", "__main__.py", "app.py", "events.py", "settings.py"}
    assert expected - {path.name for path in (ROOT / "services" / service).iterdir()} == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_noun_folder_holds_only_its_files_and_what_pyproject_places(service: str) -> None:
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
    found = {
        str(path.relative_to(ROOT)): [word for word in words if word in text]
        for path, text in texts.items()
    }
    assert {name: words for name, words in found.items() if words} == {}
