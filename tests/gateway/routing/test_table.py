"""Matching of paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.host_group import Group
from gateway.routing import parser as routing_parser
from tests.gateway.harness import ROUTES, RULES

SERVICE = "[service]\ntraining = 4\ncertification = 4\nmarketplace = 4\nmanpower = 4\n"


def test_a_literal_wins_over_a_parameter_if_it_leads_to_a_route() -> None:
    text = (
        SERVICE
        + '[[training]]\nhosts = ["staff"]\npaths = ["GET /v1/a/{id}", "GET /v1/a/mine", '
        + '"GET /v1/a/{id}/b", "GET /v1/a/mine/c"]'
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
