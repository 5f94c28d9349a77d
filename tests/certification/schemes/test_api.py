"""Schemes: neutral texts, units with the right codes, references of one LSP."""

from __future__ import annotations

from typing import Any

from tests.certification.factories import UNITS, LspHarness
from tests.certification.harness import Harness, Json, refused


def scheme(lsp: LspHarness, **changed: Any) -> Json:
    """Return the body of an edition."""
    terms = {
        "lsp_id": lsp.id,
        "scheme_ref": lsp.scheme_ref,
        "title": "Las",
        "packaging": "unit",
        "description": "x",
        "criteria": "x",
        "units": UNITS,
    }
    return terms | changed


async def test_a_scheme_with_units_of_odd_or_repeated_codes_is_refused(lsp: LspHarness) -> None:
    odd = scheme(lsp, code_patterns=["X.00XXX00.000.0"])
    repeated = scheme(lsp, units=[UNITS[0], UNITS[0]])
    assert await refused(lsp.officer.post("/v1/schemes", json=odd)) == {"units_invalid"}
    assert await refused(lsp.officer.post("/v1/schemes", json=repeated)) == {"units_invalid"}


async def test_a_scheme_that_reveals_where_it_was_taught_is_refused(lsp: LspHarness) -> None:
    revealing = scheme(lsp, description="Diajarkan di Lapas")
    assert await refused(lsp.officer.post("/v1/schemes", json=revealing)) == {"word_denied"}


async def test_a_reference_of_another_lsps_scheme_cannot_be_used(
    harness: Harness, lsp: LspHarness
) -> None:
    stranger = await LspHarness.create(harness)
    body = scheme(stranger, scheme_ref=lsp.scheme_ref)
    request = stranger.officer.post("/v1/schemes", json=body)
    assert await refused(request) == {"scheme_of_another_lsp"}
