"""A service is added in the three steps of CONTRIBUTING.md, as they are written there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ops.local.state_dir import ROOT
from tests.installation import Installation, eventually

pytestmark = pytest.mark.timeout(900)
UP_SECONDS = 330  # `up --detach` itself gives up after 300
FACILITY = "LP-TJP"
_BLOCK = re.compile(
    r"^`(?P<path>[\w./]+)`(?:, after (?P<after>`[^\n]*`)|, (?P<end>at the end))?:\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Edit(NamedTuple):
    """A file to write, or lines to insert after others; `after` is empty at the end of a file."""

    path: str
    is_new: bool
    after: str
    text: str


def edits() -> Iterator[Edit]:
    """Yield the edits of CONTRIBUTING's section, in its order."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    section = page.partition("\n## Add a service\n")[2].partition("\n## ")[0]
    for block in _BLOCK.finditer(section):
        lines = re.findall(r"`([^`]+)`", block["after"] or "")
        after = "\n".join(lines)
        is_new = block["after"] is None and block["end"] is None
        yield Edit(block["path"], is_new, after, block["text"])


def apply(edit: Edit, root: Path) -> None:
    """Make one edit; its anchor must be in the file exactly once."""
    file = root / edit.path
    if edit.is_new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edit.text)
        return
    text = file.read_text()
    if not edit.after:
        file.write_text(f"{text}\n{edit.text}")
        return
    anchor = re.compile(r"\n\s*".join(map(re.escape, edit.after.split("\n"))) + r"\n")
    [found] = anchor.finditer(text)
    file.write_text(text[: found.end()] + edit.text + text[found.end() :])


def scratch_copy(root: Path) -> None:
    """Copy what git knows of the tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git of the checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)


def borrow_packages(root: Path) -> None:
    """Link our installed packages into the copy, with the stamp that says they are complete."""
    (root / ".venv").mkdir()
    for path in (ROOT / ".venv").iterdir():
        if not path.name.startswith("."):
            (root / ".venv" / path.name).symlink_to(path)
    checksum = (
        subprocess.run(
            ["cksum"],  # noqa: S607 - as the launcher calls it
            input=(root / "requirements.lock").read_bytes(),
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .split()
    )
    (root / ".venv" / f".installed-{'-'.join(checksum)}").touch()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree that contains the service of CONTRIBUTING."""
    root = tmp_path_factory.mktemp("tree")
    scratch_copy(root)
    borrow_packages(root)
    for edit in edits():
        apply(edit, root)
    for folder in ("services/library", "services/library/books"):
        (root / folder / "__init__.py").touch()
    return root


def test_docs_writes_the_deployment_entries_of_the_new_service(tree: Path) -> None:
    done = subprocess.run(
        [tree / "bina", "docs"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in (
        "docker-compose.yml",
        "deploy/k8s/base/library.yaml",
        "deploy/k8s/base/kustomization.yaml",
        "deploy/k8s/base/network-policies.yaml",
        "deploy/k8s/components/kafka/topics.yaml",
        "deploy/k8s/components/kafka/users.yaml",
        "deploy/k8s/components/mongodb/mongodb.yaml",
        "deploy/k8s/components/monitoring/pod-monitors.yaml",
        "deploy/compose/prometheus.yml",
        "docs/architecture.svg",
        "docs/events.md",
    ):
        assert "library" in (tree / name).read_text(), name


class TreeInstallation(Installation):
    """A system that runs from a copy of the tree."""

    def __init__(self, home: Path, tree: Path) -> None:
        super().__init__(home)
        self.tree = tree

    def bina(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.tree / "bina", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_SECONDS,
        )


@pytest.fixture
def system(tree: Path, tmp_path: Path) -> Generator[Installation]:
    """Start the system of the copied tree and stop it afterwards."""
    installation = TreeInstallation(tmp_path / "bina", tree)
    started = installation.bina("up", "--detach")
    try:
        assert started.returncode == 0, started.stderr
        yield installation
    finally:
        installation.bina("down")
    assert installation.processes() == []


def request(installation: Installation, path: str, body: object = None) -> tuple[int, Any]:
    """Return status and body of a request through the gateway, as a training officer."""
    token = installation.bina(
        "token", "--role", "training_officer", "--claim", f"facility={FACILITY}"
    ).stdout.strip()
    sent = urllib.request.Request(
        f"http://127.0.0.1:{installation.port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(sent, timeout=10) as response:  # noqa: S310 - likewise
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_the_new_service_answers_and_its_event_takes_effect(
    system: Installation,
) -> None:
    """Its event is also on its topic, as `events tail` shows."""
    status, book = request(system, "/v1/books", {"facility_id": FACILITY, "shelf_id": "a1"})
    assert (status, book["version"]) == (201, 1)
    eventually(lambda: request(system, "/v1/shelves/a1") == (200, {"id": "a1", "books": 1}))
    lines = system.bina("events", "tail", "--service", "library", "--json").stdout.splitlines()
    assert "library.book-shelved.v1" in {json.loads(line)["type"] for line in lines}
