"""The table of routes: what is refused at load, how it is matched, how it is swapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.host_group import Group
from gateway.routing import parser as routing_parser
from gateway.routing.parser import RoutesInvalid
from tests.gateway.harness import ROUTES, RULES, Stage

SERVICE = "[service]\ntraining = 4\ncertification = 4\nmarketplace = 4\nmanpower = 4\n"

MISTAKES = {
    "not TOML": ("[[training", "not TOML"),
    "an unknown service": (
        SERVICE + '[[payroll]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]',
        "[[payroll]]: no such service",
    ),
    "one bracket": (
        SERVICE + '[training]\nhosts = ["staff"]\npaths = ["GET /v1/a"]',
        "write [[training]]",
    ),
    "an unknown member": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\ntimeout = 5',
        "timeout",
    ),
    "no hosts": (SERVICE + '[[training]]\npaths = ["GET /v1/a"]', "hosts"),
    "an unknown host": (
        SERVICE + '[[training]]\nhosts = ["office"]\npaths = ["GET /v1/a"]',
        "office is none of staff, shop, certificate, partner",
    ),
    "no method": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["/v1/a"]',
        "names no method",
    ),
    "an unknown method": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["FETCH /v1/a"]',
        "FETCH is none of",
    ),
    "an internal path": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["POST /internal/identities"]',
        "on staff a path starts with /v1/",
    ),
    "a certificate path elsewhere": (
        SERVICE + '[[certification]]\nhosts = ["staff"]\npaths = ["GET /V/{token}"]',
        "on staff a path starts with /v1/",
    ),
    "half a parameter": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a/{id}.pdf"]',
        "a segment is a literal or exactly one {parameter}",
    ),
    "a parameter twice": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a/{id}/{id}"]',
        "names a parameter twice",
    ),
    "a size without unit": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nbody = "20"',
        "'20' is not a size",
    ),
    "a rate that is none": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nrate = "often"',
        "'often' is not a rate",
    ),
    "a rate of nothing": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nrate = "0/minute"',
        "'0/minute' is not a rate",
    ),
    "two rates": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nrate = "1/day;2/hour"',
        "'1/day;2/hour' is not a rate",
    ),
    "an empty path": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = [""]',
        "'' names no method",
    ),
    "nested without end": ("a = " + "[" * 100_000, "not TOML"),
    "more than all to the next version": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\ncanary = 10',
        "canary",
    ),
    "no time at all": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\ndeadline = 0',
        "deadline",
    ),
    "a header that never passes": (
        SERVICE
        + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nheaders = ["authorization"]',
        "authorization never passes",
    ),
    "a header in capitals": (
        SERVICE
        + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\nheaders = ["X-Signature"]',
        "X-Signature never passes",
    ),
    "twice": (
        SERVICE + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a/{id}", "GET /v1/a/{name}"]',
        "staff: GET is routed more than once: /v1/a/{id} (training), /v1/a/{name} (training)",
    ),
    "two services": (
        SERVICE
        + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]\n[[manpower]]\nhosts = ["staff"]\npaths = ["GET /v1/a"]',
        "/v1/a (training), /v1/a (manpower)",
    ),
    "a service without cap": (
        "[service]\ntraining = 4\ncertification = 4\nmarketplace = 4",
        "[service] manpower: missing",
    ),
    "a cap of nothing": (
        SERVICE.replace("training = 4", "training = 0"),
        "[service] training: a whole number above 0",
    ),
    "a cap for nobody": (SERVICE + "payroll = 4", "[service] payroll: no such service"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_file_is_named(name: str) -> None:
    text, expected = MISTAKES[name]
    with pytest.raises(RoutesInvalid) as refused:
        routing_parser.parse_routes(text, RULES)
    assert expected in "\n".join(refused.value.problems)


def test_every_mistake_is_named_at_once() -> None:
    text = (
        SERVICE
        + '[[training]]\nhosts = ["office"]\npaths = ["FETCH /v1/a"]\nbody = "x"\nrate = "y"\n[[payroll]]\nhosts = ["staff"]\npaths = ["GET /v1/b"]'
    )
    with pytest.raises(RoutesInvalid) as refused:
        routing_parser.parse_routes(text, RULES)
    assert len(refused.value.problems) == 5


def test_a_literal_wins_over_a_parameter_and_falls_back_where_it_leads_nowhere() -> None:
    text = (
        SERVICE
        + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a/{id}", "GET /v1/a/mine", "GET /v1/a/{id}/b", "GET /v1/a/mine/c"]'
    )
    table = routing_parser.parse_routes(text, RULES)

    def found(path: str) -> str | None:
        methods = table.match(Group.STAFF, path)
        return methods["GET"].template if methods else None

    assert [
        found(path)
        for path in ("/v1/a/1", "/v1/a/mine", "/v1/a/mine/b", "/v1/a/mine/c", "/v1/a/1/c", "/v1/a")
    ] == [
        "/v1/a/{id}",
        "/v1/a/mine",
        "/v1/a/{id}/b",
        "/v1/a/mine/c",
        None,
        None,
    ]


@given(st.text(alphabet="abc/{}%.", max_size=40))
def test_no_path_matches_a_template_of_another_length(path: str) -> None:
    table = routing_parser.parse_routes(ROUTES, RULES)
    for route in (table.match(Group.STAFF, path) or {}).values():
        assert route.template.count("/") == path.count("/")


def test_a_route_that_nobody_lists_is_nobodys_and_public_needs_both_places() -> None:
    table = routing_parser.parse_routes(
        ROUTES + '\n[[marketplace]]\nhosts = ["shop"]\npaths = ["GET /v1/secret"]\npublic = true',
        RULES,
    )
    by_template = {route.template: route for route in table.routes}
    assert by_template["/v1/nobody"].roles == frozenset()
    assert not by_template["/v1/secret"].is_public
    assert by_template["/v1/products"].is_public


async def test_a_broken_file_changes_nothing_and_its_mistakes_are_shown(stage: Stage) -> None:
    before = stage.door.route_reloader.table
    for broken in ('paths = ["", "GET /rare"]', 'paths = ["GET /rare"]'):
        stage.routes_file.write_text(ROUTES.replace('paths = ["GET /v1/rare"]', broken))
        assert not stage.door.route_reloader.refresh()
        assert stage.door.route_reloader.table is before
        assert any("/rare" in problem for problem in stage.door.route_reloader.problems)
    assert (await stage.ask("GET", "/v1/rare", headers=stage.bearer())).status == 200
    status = stage.door.internal_api.state.life.proxy_status()
    assert (status["routes"]["generation"], len(status["routes"]["problems"])) == (1, 1)


async def test_a_good_file_comes_into_force_whole_while_requests_flow(stage: Stage) -> None:
    stage.routes_file.write_text(
        ROUTES.replace('"GET /v1/nobody"', '"GET /v1/nobody", "GET /v1/new"').replace(
            'paths = ["GET /v1/rare"]', 'paths = ["DELETE /v1/rare"]'
        )
    )
    assert stage.door.route_reloader.refresh()
    assert not stage.door.route_reloader.refresh()
    assert stage.door.route_reloader.generation == 2
    assert (await stage.ask("GET", "/v1/new", headers=stage.bearer())).status == 403
    assert (await stage.ask("GET", "/v1/rare", headers=stage.bearer())).status == 405


async def test_a_file_that_is_gone_for_a_moment_changes_nothing(stage: Stage) -> None:
    stage.routes_file.unlink()
    assert not stage.door.route_reloader.refresh()
    assert (await stage.ask("GET", "/v1/rare", headers=stage.bearer())).status == 200
    stage.routes_file.write_text(ROUTES)
    assert stage.door.route_reloader.refresh()
    assert stage.door.route_reloader.problems == ()
