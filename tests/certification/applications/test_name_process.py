"""The name on a certificate: requested from training, confirmed by a second person."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from tests.certification.factories import LspHarness, application_path
from tests.certification.harness import change, done, refused
from tests.fakes import not_four_eyes

NAME = {"name": "Siti Aminah"}


async def test_a_name_is_confirmed_by_another_person_than_the_requester(lsp: LspHarness) -> None:
    path = f"{application_path(await lsp.fill_forms())}/name"
    requested = await done(change(lsp.officer.by("peminta", "ketua"), "PUT", path))
    assert requested["name"] == "fetched"
    for actor in not_four_eyes("peminta", "ketua"):
        confirmer = lsp.committee.by(*actor)
        request = change(confirmer, "PUT", f"{path}/confirmation", json=NAME)
        assert await refused(request, 403) == {"name_own_confirmation"}, actor


async def test_a_name_is_confirmed_only_after_it_was_requested(lsp: LspHarness) -> None:
    path = f"{application_path(await lsp.fill_forms())}/name/confirmation"
    request = change(lsp.committee, "PUT", path, json=NAME)
    assert await refused(request, 409) == {"name_not_fetched"}


async def test_a_name_is_confirmed_only_exactly_as_it_is(lsp: LspHarness) -> None:
    """Repeated spaces do not count."""
    path = f"{application_path(await lsp.fill_forms())}/name"
    await done(change(lsp.officer, "PUT", path))
    wrong = {"name": "Siti Amina"}
    request = change(lsp.committee, "PUT", f"{path}/confirmation", json=wrong)
    assert await refused(request) == {"name_differs"}
    spaced = {"name": "Siti  Aminah"}
    confirmed = await done(change(lsp.committee, "PUT", f"{path}/confirmation", json=spaced))
    assert confirmed["name"] == "confirmed"


async def test_no_name_is_stored_in_the_clear(lsp: LspHarness) -> None:
    application_id = await lsp.fill_forms()
    await lsp.confirm_name(application_id)
    [stored] = await lsp.harness.stored("applications", _id=application_id)
    assert stored["name"]["confirmed_by"] == lsp.committee.caller.subject
    assert "Siti" not in str(stored)
    assert "Siti" not in str(await lsp.harness.stored("audit"))


@pytest.mark.scenario("T16/lookup-unknown")
async def test_a_name_unknown_to_training_is_audited_and_may_be_requested_again(
    lsp: LspHarness,
) -> None:
    person = new_id()
    names = lsp.harness.training.names
    application_id = await lsp.fill_forms(person)
    path = f"{application_path(application_id)}/name"
    del names[person]
    assert await refused(change(lsp.officer, "PUT", path), 409) == {"person_unknown"}
    [row] = await lsp.harness.stored("audit", action="name.unknown", subject=person)
    assert row["application"] == application_id
    names[person] = "Siti Aminah"
    assert (await done(change(lsp.officer, "PUT", path)))["name"] == "fetched"
    rows = await lsp.harness.stored("audit", action="name.unknown", subject=person)
    assert len(rows) == 1


async def test_an_unfit_name_is_refused_before_anything_is_signed(lsp: LspHarness) -> None:
    person = new_id()
    lsp.harness.training.names[person] = "undefined undefined"
    path = f"{application_path(await lsp.fill_forms(person))}/name"
    assert await refused(change(lsp.officer, "PUT", path)) == {"name_unfit"}
