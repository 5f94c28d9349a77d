"""LSPs: neutral names and slugs, and keys of the year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.certification.factories import SIGNATORY, LspHarness
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


@pytest.mark.parametrize(
    "dates",
    [
        {"valid_from": "2020-01-01", "valid_until": "2020-12-31"},
        {"scheme_refs": []},
    ],
)
async def test_a_corrected_licence_changes_no_verdict_on_what_was_issued(
    harness: Harness, lsp: LspHarness, dates: dict[str, Any]
) -> None:
    """The certificate holds the licence of its issue; the correction counts for the next one."""
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    waiting = await lsp.recommend()
    await lsp.add_licence(**dates)
    assert (await lsp.verify(credential))["status"] == "valid"
    page = await harness.get_public(certificate["check_url"], accept="text/html")
    assert "Sertifikat ini asli dan berlaku." in page.text
    assert await lsp.refused_sitting(lsp.sitting(waiting)) & {
        "LICENCE_EXPIRED",
        "SCHEME_NOT_LICENSED",
    }


async def test_a_licence_counts_only_after_another_person_approved_it(lsp: LspHarness) -> None:
    issued = await lsp.issue_certificate()
    assert issued["state"] == "issued"
    waiting = await lsp.recommend()
    await lsp.add_licence(valid_until="2020-12-31", valid_from="2020-01-01")
    proposal = await lsp.propose_licence()
    assert proposal["certificates"] == 1
    shown = await done(lsp.officer.get(lsp.path))
    assert shown["licence_proposals"] == [proposal]
    assert shown["licences"][0]["valid_until"] == "2020-12-31"
    assert await lsp.refused_sitting(lsp.sitting(waiting)) & {"LICENCE_EXPIRED"}
    path = f"{lsp.path}/licence-proposals/{proposal['proposal_id']}/approval"
    assert await refused(change(lsp.officer, "POST", path)) == {"same_person_approves"}
    audit = await lsp.harness.stored("audit")
    second = lsp.officer.by("second", "absent")
    approved = await done(change(second, "POST", path))
    assert approved["licence_proposals"] == []
    assert [each["valid_until"] for each in approved["licences"]] == [lsp.licence()["valid_until"]]
    rows = [row for row in await lsp.harness.stored("audit") if row not in audit]
    changes = [row for row in rows if row["action"] == "lsps.changed"]
    assert [(row["actor"], row["subject"]) for row in changes] == [("second", lsp.id)]
    assert await refused(change(second, "POST", path), 404) == {"licence_proposal_unknown"}
    await lsp.decide(lsp.sitting(waiting))


async def test_a_withdrawn_licence_proposal_cannot_be_approved(lsp: LspHarness) -> None:
    proposal = await lsp.propose_licence(number="BNSP-LSP-0009-ID")
    path = f"{lsp.path}/licence-proposals/{proposal['proposal_id']}"
    withdrawn = await done(change(lsp.officer, "POST", f"{path}/withdrawal"))
    assert withdrawn["licence_proposals"] == []
    second = lsp.officer.by("second")
    request = change(second, "POST", f"{path}/approval")
    assert await refused(request, 404) == {"licence_proposal_unknown"}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"place": "Lapas Malang"}, "word_denied"),
        ({"office": "Kepala Rutan"}, "word_denied"),
        ({"name": "测"}, "text_not_printable"),
        ({"place": ""}, "body_invalid"),
    ],
)
async def test_a_signatory_that_a_paper_may_not_show_is_refused(
    lsp: LspHarness, changed: dict[str, str], code: str
) -> None:
    request = change(lsp.officer, "PUT", f"{lsp.path}/signatory", json=SIGNATORY | changed)
    assert await refused(request) == {code}
