"""Runbooks, and the page about keys, name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.local.state_dir import ROOT
from tests.deploy.alerts import unknown_in
from tests.docs import named

RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
PAGES = [*RUNBOOKS, ROOT / "docs/keys.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_commands_and_files_that_exist(page: Path) -> None:
    text = page.read_text()
    assert named.unknown_commands(text) == []
    assert named.unknown_containers(text) == []
    assert named.unknown_files(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_routes_and_variables_that_exist(page: Path) -> None:
    text = page.read_text()
    assert named.unknown_routes(text) == []
    assert named.unknown_variables(text) == []


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_page_seeks_only_log_events_that_the_code_writes(page: Path) -> None:
    assert named.unknown_log_events(page.read_text()) == []


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_page_queries_only_metrics_that_are_exposed(page: Path) -> None:
    text = re.sub(r".*\./bina logs .*", "", page.read_text())
    assert unknown_in(text) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_to_pages_and_sections(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_what_does_not_exist_is_found() -> None:
    page = """
    ./bina logs training --since 1h | grep -e job_failed -e job_vanished | grep height=2
    The log contains `nothing_of_ours`. Run `./bina rebuild` or `./bina status --loud`.
    `docker compose restart training trainer`, `docker compose run --rm --entrypoint rm sekrets x`
    `POST /v1/lsps/LSP/keys`, `POST /v1/lsps/LSP/locks`, `TRAINING_MASTER_KEY`, `TRAINING_KEY`
    `deploy/nothing.yml`
    """
    assert named.unknown_log_events(page) == ["nothing_of_ours", "job_vanished", "height="]
    assert named.unknown_commands(page) == ["rebuild", "status --loud"]
    assert named.unknown_containers(page) == ["trainer", "sekrets"]
    assert named.unknown_routes(page) == ["POST /v1/lsps/LSP/locks"]
    assert named.unknown_variables(page) == ["TRAINING_KEY"]
    assert named.unknown_files(page) == ["deploy/nothing.yml"]
