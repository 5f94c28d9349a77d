"""Every change of an existing aggregate requires its version."""

from __future__ import annotations

import pytest

from tests.certification.factories import FORM, LspHarness, application_path
from tests.certification.harness import Harness, change, refused
from tests.certification.routes import CREATIONS, bodies, ids_of, own_routes


@pytest.mark.scenario("T19/services")
async def test_a_change_without_if_match_is_428_on_every_route(
    harness: Harness, lsp: LspHarness
) -> None:
    ids = await ids_of(lsp, await lsp.issue_certificate())
    request_bodies = bodies(lsp)
    walked = 0
    for method, template in own_routes(harness):
        name = f"{method} {template}"
        if method == "GET" or name in CREATIONS:
            continue
        request = lsp.officer.request(method, template.format(**ids), json=request_bodies.get(name))
        assert await refused(request, 428) == {"version_required"}, name
        walked += 1
    assert walked == 22


async def test_a_change_with_an_outdated_version_is_412(lsp: LspHarness) -> None:
    application = await lsp.open_application()
    path = f"{application_path(application['application_id'])}/apl-01"
    outdated = {"if-match": f'"{application["version"]}"'}
    assert (await change(lsp.officer, "PUT", path, json=FORM)).status_code == 200
    request = lsp.officer.request("PUT", path, json=FORM, headers=outdated)
    assert await refused(request, 412) == {"version_differs"}


async def test_a_read_and_a_change_give_the_version_as_etag(lsp: LspHarness) -> None:
    application = await lsp.open_application()
    path = application_path(application["application_id"])
    shown = await lsp.officer.get(path)
    changed = await change(lsp.officer, "PUT", f"{path}/apl-01", json=FORM)
    assert shown.headers["etag"] == f'"{application["version"]}"'
    assert changed.headers["etag"] == f'"{application["version"] + 1}"'
