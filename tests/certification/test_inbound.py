"""Events of training: completed courses open applications, merges move them."""

from __future__ import annotations

from datetime import timedelta

from chassis.ids import new_id
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, today
from tests.fakes import eventually


async def wait_for_applications(lsp: LspHarness, person: str, count: int) -> list[Json]:
    """Return the applications of a person, once there are this many."""

    async def enough() -> list[Json] | None:
        applications = await lsp.list_applications(person)
        return applications if len(applications) >= count else None

    return await eventually(enough)


async def test_a_course_of_an_unpublished_scheme_opens_its_application_later(
    harness: Harness, lsp: LspHarness
) -> None:
    """The application opens in the transaction that publishes the scheme."""
    person = new_id()
    scheme_ref = f"las-{new_id()[-10:]}"
    await lsp.complete_course(person, scheme_ref=scheme_ref)
    await eventually(lambda: harness.stored("early"))
    await lsp.add_licence(number="BNSP-2", scheme_refs=[scheme_ref])
    await lsp.publish_scheme(scheme_ref=scheme_ref)
    applications = await lsp.list_applications(person)
    assert [application["scheme_ref"] for application in applications] == [scheme_ref]
    assert not await harness.stored("early")


async def test_a_repeated_completion_or_a_course_without_scheme_opens_nothing(
    lsp: LspHarness,
) -> None:
    person = new_id()
    enrolment = new_id()
    yesterday = str(today() - timedelta(days=1))
    await lsp.open_application(person, enrolment_id=enrolment)
    await lsp.complete_course(person, enrolment_id=enrolment)
    await lsp.complete_course(person, scheme_ref=None)
    await lsp.open_application(person, enrolment_id=new_id(), completed_on=yesterday)
    assert len(await wait_for_applications(lsp, person, 2)) == 2


async def merge(harness: Harness, old: str, new: str) -> None:
    """Publish the merge of two persons as training does, once under each key."""
    facts = {"from_ref": old, "into_ref": new, "as_of": str(today())}
    for key in (old, new):
        await harness.publish_from_training(
            "training.participant-merged.v1", key, participant_ref=key, **facts
        )
    await eventually(lambda: harness.stored("origins", participant_ref=new))


async def test_after_a_merge_applications_and_later_events_follow_the_survivor(
    harness: Harness, lsp: LspHarness
) -> None:
    old = new_id()
    new = new_id()
    certificate = await lsp.issue_certificate(old)
    certificate_id = certificate["certificate_id"]
    await merge(harness, old, new)
    assert len(await lsp.list_applications(new)) == 1
    assert len(await lsp.list_applications(old)) == 1
    await lsp.change_state(certificate, "revocation", "holder_request")
    [revoked] = await eventually(
        lambda: harness.events_of("certificate-revoked", certificate_id=certificate_id)
    )
    assert revoked["key"] == new
    await lsp.complete_course(old, enrolment_id=new_id())
    assert len(await wait_for_applications(lsp, new, 2)) == 2


async def test_a_merge_does_not_change_a_signed_document(harness: Harness, lsp: LspHarness) -> None:
    old = new_id()
    new = new_id()
    certificate = await lsp.issue_certificate(old)
    before = await lsp.get_credential(certificate["certificate_id"])
    await merge(harness, old, new)
    assert await lsp.get_credential(certificate["certificate_id"]) == before
