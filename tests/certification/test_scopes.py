"""Scopes: another LSP's data is 404, an assessor sees only what is assigned."""

from __future__ import annotations

import pytest

from tests.certification.factories import LspHarness, application_path
from tests.certification.harness import Harness, change, done, refused
from tests.certification.routes import LISTS, bodies, ids_of, own_routes


@pytest.mark.scenario("T19/services")
async def test_another_lsps_data_is_404_on_every_route_and_in_no_list(
    harness: Harness, lsp: LspHarness
) -> None:
    stranger = await LspHarness.create(harness)
    certificate = await lsp.issue_certificate()
    ids = await ids_of(lsp, certificate)
    request_bodies = bodies(lsp)
    walked = 0
    for method, template in own_routes(harness):
        name = f"{method} {template}"
        headers = {} if method == "GET" else {"if-match": '"1"'}
        answer = await stranger.officer.request(
            method, template.format(**ids), json=request_bodies.get(name), headers=headers
        )
        if name in LISTS:
            assert answer.status_code == 200, name
            values = [value for item in answer.json()["items"] for value in item.values()]
            texts = {value for value in values if isinstance(value, str)}
            assert texts.isdisjoint(ids.values()), name
        else:
            assert answer.status_code == 404, (name, answer.text)
        walked += 1
    assert walked == 45
    path = f"/v1/certificates/{certificate['certificate_id']}"
    assert await done(lsp.officer.get(path)) == certificate


async def test_an_assessor_sees_only_assigned_applications(lsp: LspHarness) -> None:
    assigned = await lsp.fill_forms()
    other = await lsp.fill_forms()
    second_assessor = await lsp.record_assessor()
    assert await lsp.assign(assigned) == set()
    assessor = lsp.assessor_client()
    page = await done(assessor.get("/v1/assessment-applications"))
    assert [item["application_id"] for item in page["items"]] == [assigned]
    hidden = ((other, assessor), (assigned, lsp.assessor_client(second_assessor)))
    for application_id, client in hidden:
        path = application_path(application_id)
        assert await refused(client.get(path), 404) == {"application_unknown"}
        request = change(client, "PUT", f"{path}/declaration", json={"conflict": False})
        assert await refused(request, 404) == {"application_unknown"}


async def test_an_assessor_does_not_see_whose_application_it_is(lsp: LspHarness) -> None:
    application_id = await lsp.fill_forms()
    assert await lsp.assign(application_id) == set()
    shown = await done(lsp.assessor_client().get(application_path(application_id)))
    assert shown["participant_ref"] is None


async def test_an_assessor_or_venue_of_another_lsp_cannot_be_assigned(
    harness: Harness, lsp: LspHarness
) -> None:
    stranger = await LspHarness.create(harness)
    path = f"{application_path(await lsp.fill_forms())}/assignment"
    for foreign, code in (
        ({"assessor_id": stranger.assessor["assessor_id"]}, "assessor_unknown"),
        ({"venue_id": stranger.venue["venue_id"]}, "venue_unknown"),
    ):
        request = change(lsp.officer, "PUT", path, json=lsp.assignment(**foreign))
        assert await refused(request, 404) == {code}
