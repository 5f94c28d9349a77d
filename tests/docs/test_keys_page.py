"""docs/keys.md covers every secret, and its steps for files do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.local import secrets, topology
from ops.local.state_dir import ROOT
from tests.deploy.k8s import settings_class

PAGE = (ROOT / "docs/keys.md").read_text()
LINKING = ("README.md", "operations.md", "security.md")


def secret_settings(service: topology.Service) -> set[str]:
    """Return the settings of a process that are secret."""
    fields = settings_class(service.name).model_fields
    return {name for name, field in fields.items() if "SecretStr" in repr(field.annotation)}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_every_secret_of_a_process_is_on_the_page(service: topology.Service) -> None:
    names = {"audit_key", "signing_key", *service.keys, *service.signing_keys}
    names |= secret_settings(service)
    missing = [
        name
        for name in sorted(names)
        if f"`{service.name}_{name}`" not in PAGE and f"`SERVICE_{name}`" not in PAGE
    ]
    assert missing == []


@pytest.mark.parametrize("document", LINKING)
def test_a_document_for_operators_links_the_page(document: str) -> None:
    assert "](keys.md)" in (ROOT / "docs" / document).read_text()


def test_the_table_links_every_section_about_a_key() -> None:
    table, _, sections = PAGE.partition("## Where they are")
    headings = re.findall(r"^## (.+)$", sections, re.MULTILINE)[1:]
    anchors = [heading.lower().replace(" ", "-") for heading in headings]
    assert re.findall(r"^\| \[[^\]]+\]\(#([\w-]+)\)", table, re.MULTILINE) == anchors


def test_a_removed_signing_key_is_made_again_with_its_public_half(tmp_path: Path) -> None:
    secrets.make_secrets(tmp_path)
    private = tmp_path / "training/training_signing_key"
    public = tmp_path / "trusted/training.pem"
    before = private.read_text(), public.read_text()
    others = (tmp_path / "trusted/gateway.pem").read_text()
    private.unlink()
    secrets.make_secrets(tmp_path)
    assert private.read_text() != before[0]
    assert public.read_text() != before[1]
    assert (tmp_path / "trusted/gateway.pem").read_text() == others
