"""Versions of roles, and explanations of access."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.access.permissions import PUBLIC, ROLE_PERMISSIONS, ROLES, RolePermissions, versions
from gateway.host_group import Group
from tests.fakes import Keys, eventually
from tests.gateway.harness import running_gateway
from tests.gateway.region import FILE, OIDC, OfficeHarness, known

TODAY = datetime.now(UTC)


def rules(**roles: frozenset[str]) -> RolePermissions:
    """Return the permissions of one service's roles."""
    return RolePermissions({"training": roles})


@pytest.mark.scenario("T19/gateway")
def test_no_permission_changes_without_a_new_version_of_its_role() -> None:
    assert versions.find_problems() == [], (
        "python -m gateway.access.permissions.versions writes what is missing"
    )


def test_a_change_without_a_version_is_named_and_written_as_the_next(tmp_path: Path) -> None:
    first = rules(head=frozenset({"GET /v1/a", "POST /v1/a"}))
    second = rules(head=frozenset({"GET /v1/a", "GET /v1/b"}))
    assert versions.find_problems(tmp_path, first) == [
        (
            "head: its permissions changed without a new version: "
            "training: GET /v1/a, training: POST /v1/a"
        )
    ]
    assert versions.write_missing(tmp_path, date(2026, 1, 1), first) == ["head"]
    versions.read_history.cache_clear()
    assert versions.find_problems(tmp_path, first) == []
    assert versions.find_problems(tmp_path, second) == [
        (
            "head: its permissions changed without a new version: "
            "training: GET /v1/b, training: POST /v1/a"
        )
    ]
    assert versions.write_missing(tmp_path, date(2026, 3, 1), second) == ["head"]
    versions.read_history.cache_clear()
    response = versions.read_history(tmp_path)["head"]
    assert [(one.number, one.since) for one in response] == [
        (1, date(2026, 1, 1)),
        (2, date(2026, 3, 1)),
    ]
    assert versions.compare_versions(response, 1, 2) == (
        frozenset({"training: GET /v1/b"}),
        frozenset({"training: POST /v1/a"}),
    )
    assert versions.version_on(response, date(2025, 12, 31)) is None
    days = (date(2026, 1, 1), date(2026, 2, 28), date(2026, 3, 1))
    in_force = [versions.version_on(response, day) for day in days]
    assert [version and version.number for version in in_force] == [1, 1, 2]
    versions.read_history.cache_clear()


def test_a_history_that_goes_backwards_or_is_of_nobody_is_named(tmp_path: Path) -> None:
    entry = "[[version]]\nnumber = {}\nsince = {}\nadds = []\nremoves = []\n"
    (tmp_path / "boss.toml").write_text(entry.format(1, "2026-01-01"))
    (tmp_path / "head.toml").write_text(
        entry.format(1, "2026-02-01") + entry.format(3, "2026-01-01")
    )
    assert versions.find_problems(tmp_path, rules()) == [
        "boss: no such role",
        "head: the versions are not numbered 1, 2, 3",
        "head: a version begins before the one before it",
    ]


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[OfficeHarness]:
    """Start a gateway with the real routes and roles, and its administrators."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield OfficeHarness(harness)


async def test_administrators_read_what_a_role_may_and_what_changed(office: OfficeHarness) -> None:
    listed = (await office.admin("GET", "roles")).content["items"]
    assert {one["role"] for one in listed} == ROLES | {PUBLIC}
    head = (await office.admin("GET", "roles/head")).content
    assert (head["version"], set(head["permissions"])) == (
        versions.latest_version("head"),
        versions.current_permissions("head"),
    )
    before = (await office.admin("GET", "roles/head?at=2020-01-01")).content
    assert (before["title"], before["version"], before["since"], before["permissions"]) == (
        "kepala Lapas/Rutan/LPKA",
        0,
        None,
        [],
    )
    changes = (
        await office.admin("GET", f"roles/head/changes?older=0&newer={head['version']}")
    ).content
    assert changes["adds"] == head["permissions"]
    for path in ("roles/boss", "roles/head/changes?older=0&newer=99"):
        assert (await office.admin("GET", path)).status == 404
    assert (await office.admin("GET", "roles/head", role="head")).status == 403


async def explained(
    office: OfficeHarness, method: str, path: str, **more: Any
) -> tuple[bool, list[str], str]:
    """Return whether the access is allowed, the steps, and the text of the last step."""
    response = (
        await office.admin("POST", "explain", {"method": method, "path": path} | more)
    ).content
    return (
        response["allowed"],
        [step["asks"] for step in response["steps"]],
        response["steps"][-1]["words"],
    )


async def test_an_access_is_explained_step_by_step_as_the_gateway_decides(
    office: OfficeHarness,
) -> None:
    siti = await office.person("siti")
    path = "/v1/classes/c-1"
    assert await explained(office, "GET", path, user_id=siti) == (
        False,
        ["route", "user", "grant"],
        "Tidak ada penugasan yang berlaku pada saat itu (403).",
    )
    grant_id = (await office.assigned(siti, "training_officer")).content["grant_id"]
    allowed, asked, words = await explained(
        office, "GET", path, user_id=siti, resource={"facility": "LP-TJP"}
    )
    assert (allowed, asked, words) == (
        True,
        ["route", "user", "grant", "permission", "letter", "rows"],
        "Cakupan facility memuat LP-TJP.",
    )
    assert (await office.harness.ask("GET", path, headers=office.bearer("siti"))).status == 200
    outside = await explained(office, "GET", path, user_id=siti, resource={"facility": "LP-PKP"})
    assert (outside[0], outside[2]) == (
        False,
        "LP-PKP di luar cakupan facility (404, sama seperti tidak ada).",
    )
    denied = await explained(office, "POST", "/v1/tpp-decisions", user_id=siti)
    assert (denied[0], denied[1][-1]) == (False, "permission")
    assert "yang boleh sekarang: case_officer" in denied[2]
    assert (
        await office.harness.ask(
            "POST", "/v1/tpp-decisions", headers=office.bearer("siti"), json={}
        )
    ).status == 403
    await office.assigned(siti, "case_officer")
    choice = await explained(office, "GET", path, user_id=siti)
    assert (choice[0], choice[1][-1]) == (False, "grant")
    assert (await explained(office, "GET", path, user_id=siti, acting_grant=grant_id))[0]
    await office.admin("POST", f"users/{siti}/disable")
    assert (await explained(office, "GET", path, user_id=siti))[
        2
    ] == "Pengguna dinonaktifkan (403)."


async def test_paths_roles_and_moments_are_explained_too(office: OfficeHarness) -> None:
    claims: Mapping[str, Any] = {"facility": ["LP-TJP"]}
    assert (await explained(office, "GET", "/v1/nowhere", role="head", claims=claims))[
        2
    ] == "Alamat ini tidak ada di pintu ini (404); periksa tulisan alamat dan pintunya (host)."
    assert (await explained(office, "DELETE", "/v1/classes", role="head", claims=claims))[
        2
    ] == "Alamat ini hanya menerima GET, HEAD, POST (405)."
    assert (await explained(office, "GET", "/v1/products", host=Group.SHOP, role="head"))[:2] == (
        True,
        ["route", "public"],
    )
    assert (await explained(office, "GET", "/v1/classes", role="head"))[
        2
    ] == "Tanpa cakupan: tidak melihat baris apa pun (404)."
    assert (await explained(office, "GET", "/v1/classes", role="head", claims=claims))[0]
    before = await explained(
        office, "GET", "/v1/classes", role="head", claims=claims, at="2020-01-01T00:00:00Z"
    )
    assert (before[0], before[1][-1]) == (False, "permission")
    for body in ({}, {"role": "head", "user_id": "u-1"}):
        assert (
            await office.admin("POST", "explain", {"method": "GET", "path": "/v1/classes"} | body)
        ).content["code"] == "subject_needed"


async def test_an_excluded_act_is_explained_and_no_user_of_another_place(
    office: OfficeHarness,
) -> None:
    head = await office.person("kalapas")
    deputy = await office.person("kasi")
    await office.assigned(head, "head")
    await office.assigned(
        deputy,
        "head",
        kind="plh",
        letter="W.7",
        on_behalf_of=head,
        excluded=["POST /v1/snapshots/{snapshot_id}/release"],
    )
    response = await explained(office, "POST", "/v1/snapshots/s-1/release", user_id=deputy)
    assert (response[0], response[2]) == (
        False,
        (
            "Tindakan ini dikecualikan dari surat penugasannya, "
            "atau bukan bagian dari tugas pemeriksa kedua (403)."
        ),
    )
    over = (TODAY + timedelta(days=60)).isoformat()
    assert (await explained(office, "GET", "/v1/classes", user_id=deputy, at=over))[1][
        -1
    ] == "grant"
    elsewhere = await office.admin(
        "POST",
        "explain",
        {"method": "GET", "path": "/v1/classes", "user_id": head},
        facility="LP-PKP",
    )
    assert (elsewhere.status, elsewhere.content["code"]) == (404, "user_unknown")
