"""The routes file changes while the gateway runs."""

from __future__ import annotations

from tests.gateway.harness import ROUTES, GatewayHarness


async def test_a_broken_file_changes_nothing_and_its_mistakes_are_shown(
    harness: GatewayHarness,
) -> None:
    before = harness.gateway.route_reloader.table
    for broken in ('paths = ["", "GET /rare"]', 'paths = ["GET /rare"]'):
        harness.routes_file.write_text(ROUTES.replace('paths = ["GET /v1/rare"]', broken))
        assert not harness.gateway.route_reloader.refresh()
        assert harness.gateway.route_reloader.table is before
        assert any("/rare" in problem for problem in harness.gateway.route_reloader.problems)
    assert (await harness.ask("GET", "/v1/rare", headers=harness.bearer())).status == 200
    status = harness.gateway.internal_api.state.life.proxy_status()
    assert (status["routes"]["generation"], len(status["routes"]["problems"])) == (1, 1)


async def test_a_good_file_is_used_as_a_whole_while_requests_flow(harness: GatewayHarness) -> None:
    harness.routes_file.write_text(
        ROUTES.replace('"GET /v1/nobody"', '"GET /v1/nobody", "GET /v1/new"').replace(
            'paths = ["GET /v1/rare"]', 'paths = ["DELETE /v1/rare"]'
        )
    )
    assert harness.gateway.route_reloader.refresh()
    assert not harness.gateway.route_reloader.refresh()
    assert harness.gateway.route_reloader.generation == 2
    assert (await harness.ask("GET", "/v1/new", headers=harness.bearer())).status == 403
    assert (await harness.ask("GET", "/v1/rare", headers=harness.bearer())).status == 405


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(harness: GatewayHarness) -> None:
    harness.routes_file.unlink()
    assert not harness.gateway.route_reloader.refresh()
    assert (await harness.ask("GET", "/v1/rare", headers=harness.bearer())).status == 200
    harness.routes_file.write_text(ROUTES)
    assert harness.gateway.route_reloader.refresh()
    assert harness.gateway.route_reloader.problems == ()
