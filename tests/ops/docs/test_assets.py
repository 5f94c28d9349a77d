"""The committed browser files are those that `./bina assets` builds from the npm lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.pages.docs import ASSETS
from ops.docs import assets
from ops.errors import OperatorError


@pytest.mark.needs("npm")
@pytest.mark.timeout(600)
def test_the_assets_are_built_again_to_the_same_bytes(tmp_path: Path) -> None:
    built = assets.build_assets(tmp_path)
    committed = {file.name: file.read_bytes() for file in (ASSETS / "built").iterdir()}
    assert {file.name: file.read_bytes() for file in built} == committed


def test_the_lock_names_a_hash_and_no_host_for_each_package() -> None:
    lock = json.loads((ASSETS / "package-lock.json").read_text())
    packages = [entry for name, entry in lock["packages"].items() if name]
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages)
    assert not any("resolved" in entry for entry in packages)


def test_without_npm_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OperatorError, match="npm"):
        assets.build_assets()
