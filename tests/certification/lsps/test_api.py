"""LSPs: neutral names and slugs, and keys of the year."""

from __future__ import annotations

import pytest

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, change, done, refused


@pytest.mark.parametrize(
    ("name", "slug", "code"),
    [
        ("LSP Pemasyarakatan", "lsp-baik", "word_denied"),
        ("LSP Baik", "lsp-bina-karya", "word_denied"),
        ("LSP Baik", "LSP Baik", "slug_invalid"),
    ],
)
async def test_an_issuer_whose_name_or_slug_reveals_a_prison_is_refused(
    harness: Harness, name: str, slug: str, code: str
) -> None:
    administrator = harness.client.as_("administrator", lsp="*")
    body = {"slug": slug, "name": name, "kind": "P3"}
    assert await refused(administrator.post("/v1/lsps", json=body)) == {code}


async def test_keys_requested_again_stay_the_same(lsp: LspHarness) -> None:
    path = f"{lsp.path}/keys"
    first = await done(change(lsp.officer, "POST", path), 201)
    again = await done(change(lsp.officer, "POST", path), 201)
    assert first == again
    purposes = [key["name"].partition("-")[0] for key in first["keys"]]
    assert purposes == ["key", "status"]


async def test_a_private_key_lies_in_a_private_file_and_not_in_the_database(
    lsp: LspHarness,
) -> None:
    shown = await done(lsp.officer.get(lsp.path))
    files = sorted((lsp.harness.settings.keys_dir / lsp.id).iterdir())
    assert [file.name for file in files] == [f"{key['name']}.pem" for key in shown["keys"]]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert "PRIVATE" not in str(await lsp.harness.stored("lsps"))
