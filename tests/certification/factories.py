"""Builders of everything that a certificate needs, through the API of the running service.

Not here: signed documents without a service (credentials/factories).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from chassis.ids import new_id
from tests.certification.harness import Harness, Json, change, done, refused, today
from tests.fakes import AsgiClient, eventually

ROOT = Path(__file__).parents[2]
UNITS = [
    {"code": "F.432111.001.02", "title": "Memasang instalasi penerangan"},
    {"code": "F.432111.002.02", "title": "Mengukur tahanan isolasi"},
]
ENGLISH_TITLES = ("Install lighting", "Measure insulation resistance")
SCHEME_UNITS = [
    unit | {"title_en": title} for unit, title in zip(UNITS, ENGLISH_TITLES, strict=True)
]
SIGNATORY: Json = {
    "name": "Dr. Ir. Ratna Kusumawati, M.T.",
    "office": "Ketua LSP",
    "place": "Surabaya",
}
EMBLEM = (ROOT / "ops/demo/sample/emblem.png").read_bytes()
FORM: Json = {
    "evidence": [{"kind": "pelatihan", "description": "160 JP"}],
    "signed_on": str(today()),
}


def application_path(application_id: str) -> str:
    """Return the address of an application."""
    return f"/v1/assessment-applications/{application_id}"


def all_units(value: Any) -> Json:
    """Return a body with this value for each unit."""
    return {"units": {unit["code"]: value for unit in UNITS}}


@dataclass(slots=True)
class LspHarness:
    """One LSP with everything that it needs to certify."""

    harness: Harness
    id: str
    did: str
    scheme_ref: str
    assessor: Json = field(default_factory=dict[str, Any])
    venue: Json = field(default_factory=dict[str, Any])

    @classmethod
    async def create(cls, harness: Harness) -> LspHarness:
        """Create it with licence, keys, a scheme, an assessor and a venue verified for today."""
        unique = new_id()[-10:]
        administrator = harness.client.as_("administrator", lsp="*")
        body = {
            "slug": f"konstruksi-{unique}",
            "name": f"LSP Konstruksi {unique}",
            "kind": "P3",
        }
        registered = await done(administrator.post("/v1/lsps", json=body), 201)
        lsp = cls(harness, registered["lsp_id"], registered["did"], f"listrik-{unique}")
        await lsp.add_licence()
        await done(change(lsp.officer, "POST", f"{lsp.path}/keys"), 201)
        await done(change(lsp.officer, "PUT", f"{lsp.path}/signatory", json=SIGNATORY))
        await done(lsp.upload_emblem(EMBLEM))
        await lsp.publish_scheme()
        lsp.assessor = await lsp.record_assessor()
        lsp.venue = await lsp.record_venue()
        return lsp

    @property
    def path(self) -> str:
        return f"/v1/lsps/{self.id}"

    @property
    def officer(self) -> AsgiClient:
        return self.harness.client.as_("lsp_officer", subject=f"officer-{self.id}", lsp=self.id)

    @property
    def committee(self) -> AsgiClient:
        return self.harness.client.as_("committee", subject=f"committee-{self.id}", lsp=self.id)

    def assessor_client(self, assessor: Json | None = None) -> AsgiClient:
        """Return the client of an assessor, by default the LSP's first one."""
        assessor_id = (assessor or self.assessor)["assessor_id"]
        return self.harness.client.as_(
            "assessor", subject=f"user-{assessor_id}", assignment=assessor_id
        )

    def licence(self, **changed: Any) -> Json:
        """Return the body of a licence that covers today."""
        licence = {
            "number": "BNSP-LSP-0001-ID",
            "valid_from": str(today() - timedelta(days=400)),
            "valid_until": str(today() + timedelta(days=400)),
            "scheme_refs": [self.scheme_ref],
        }
        return licence | changed

    async def add_licence(self, **changed: Any) -> None:
        """Add a licence, or replace the one of the same number, by two persons."""
        proposal = await self.propose_licence(**changed)
        path = f"{self.path}/licence-proposals/{proposal['proposal_id']}/approval"
        await done(change(self.officer.by(f"second-{self.id}"), "POST", path))

    async def propose_licence(self, **changed: Any) -> Json:
        """Propose a licence, and return the proposal."""
        body = self.licence(**changed)
        proposed = await done(change(self.officer, "POST", f"{self.path}/licences", json=body), 201)
        return proposed["licence_proposals"][-1]

    async def upload_emblem(self, content: bytes) -> httpx2.Response:
        """Upload an emblem with the current version, and return the answer."""
        version = (await done(self.officer.get(self.path)))["version"]
        headers = {"if-match": f'"{version}"', "content-type": "image/png"}
        return await self.officer.request(
            "PUT", f"{self.path}/emblem", content=content, headers=headers
        )

    async def download_paper(self, certificate: Json, **params: int) -> bytes:
        """Return the paper of a certificate."""
        path = f"/v1/certificates/{certificate['certificate_id']}/pdf"
        answer = await self.officer.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def publish_scheme(self, **changed: Any) -> Json:
        """Publish an edition of the scheme."""
        terms = {
            "lsp_id": self.id,
            "scheme_ref": self.scheme_ref,
            "title": "Pemasangan Instalasi Listrik Sederhana",
            "title_en": "Installation of Simple Electrical Systems",
            "packaging": "cluster",
            "description": "Memasang dan memeriksa instalasi listrik satu fasa.",
            "criteria": "Dinyatakan kompeten pada semua unit.",
            "units": SCHEME_UNITS,
            "code_patterns": ["X.000000.000.00"],
        }
        return await done(self.officer.post("/v1/schemes", json=terms | changed), 201)

    async def record_assessor(self, **changed: Any) -> Json:
        """Record an assessor, and return the body."""
        facts = {
            "lsp_id": self.id,
            "name": "Asesor Satu",
            "met_no": f"MET.000.{new_id()[-8:]}",
            "met_valid_until": str(today() + timedelta(days=90)),
            "scheme_refs": [self.scheme_ref],
        }
        return await done(self.officer.post("/v1/assessors", json=facts | changed), 201)

    async def record_venue(self, *, is_verified: bool = True, **changed: Any) -> Json:
        """Record a venue, verify it for today, and return the body."""
        facts = {
            "lsp_id": self.id,
            "name": "TUK Bengkel Listrik",
            "kind": "occasional",
            "scheme_refs": [self.scheme_ref],
        }
        venue = await done(self.officer.post("/v1/venues", json=facts | changed), 201)
        if is_verified:
            path = f"/v1/venues/{venue['venue_id']}/verifications"
            days = {
                "valid_from": str(today()),
                "valid_until": str(today()),
                "scheme_refs": [self.scheme_ref],
            }
            await done(change(self.officer, "POST", path, json=days), 201)
        return venue

    async def complete_course(self, participant_ref: str, **changed: Any) -> None:
        """Publish that training's course of this scheme was completed."""
        course = {
            "participant_ref": participant_ref,
            "enrolment_id": new_id(),
            "class_id": "class-1",
            "programme_id": "programme-1",
            "programme_version": 1,
            "title": "Instalasi listrik",
            "units": UNITS,
            "scheme_ref": self.scheme_ref,
            "lesson_hours": 160,
            "attended_minutes": 9_000,
            "completed_on": str(today()),
            "instructor_refs": ["instructor-1"],
        }
        await self.harness.publish_from_training(
            "training.course-completed.v1", participant_ref, **(course | changed)
        )

    async def list_applications(self, participant_ref: str) -> list[Json]:
        """Return the applications of a person."""
        params = {"participant_ref": participant_ref}
        page = await done(self.officer.get("/v1/assessment-applications", params=params))
        return page["items"]

    async def open_application(self, participant_ref: str | None = None, **changed: Any) -> Json:
        """Complete a course, and return the application that it opened."""
        ref = participant_ref or new_id()
        self.harness.training.names.setdefault(ref, "Siti Aminah")
        await self.complete_course(ref, **changed)
        applications = await eventually(lambda: self.list_applications(ref))
        return applications[0]

    async def fill_forms(self, participant_ref: str | None = None) -> str:
        """Return the id of an application with both forms."""
        application = await self.open_application(participant_ref)
        path = application_path(application["application_id"])
        assessment = all_units(value=True) | {"signed_on": str(today())}
        await done(change(self.officer, "PUT", f"{path}/apl-01", json=FORM))
        await done(change(self.officer, "PUT", f"{path}/apl-02", json=assessment))
        return application["application_id"]

    def assignment(self, **changed: Any) -> Json:
        """Return the body of an assignment for today."""
        assignment = {
            "assessor_id": self.assessor["assessor_id"],
            "venue_id": self.venue["venue_id"],
            "held_on": str(today()),
        }
        return assignment | changed

    async def assign(self, application_id: str, **changed: Any) -> set[str]:
        """Assign an application, and return the codes of a refusal; none when it succeeded."""
        path = f"{application_path(application_id)}/assignment"
        answer = await change(self.officer, "PUT", path, json=self.assignment(**changed))
        if answer.status_code == 200:
            return set()
        return {reason["code"] for reason in answer.json()["reasons"]}

    async def recommend(
        self, participant_ref: str | None = None, *, results: str = "K", competent: bool = True
    ) -> str:
        """Return the id of an application that was assessed and recommended.

        Its name is confirmed by a second person. The assessor acts for somebody absent.
        """
        application_id = await self.fill_forms(participant_ref)
        path = application_path(application_id)
        assessor = self.assessor_client()
        acting = assessor.by(assessor.caller.subject, f"absent-{self.id}")
        recommendation = {"competent": competent}
        assert await self.assign(application_id) == set()
        await done(change(assessor, "PUT", f"{path}/declaration", json={"conflict": False}))
        await done(change(assessor, "PUT", f"{path}/unit-results", json=all_units(results)))
        await done(change(acting, "PUT", f"{path}/recommendation", json=recommendation))
        await self.confirm_name(application_id)
        return application_id

    async def confirm_name(self, application_id: str) -> None:
        """Request the name as the officer, and confirm it as the committee."""
        path = f"{application_path(application_id)}/name"
        await done(change(self.officer, "PUT", path))
        name = (await done(self.committee.get(path)))["name"]
        body = {"name": name}
        await done(change(self.committee, "PUT", f"{path}/confirmation", json=body))

    def sitting(self, *application_ids: str, competent: bool = True, **changed: Any) -> Json:
        """Return the body of a sitting that decides these applications alike."""
        decisions = [
            {"application_id": application_id, "competent": competent}
            for application_id in application_ids
        ]
        sitting = {
            "lsp_id": self.id,
            "minutes_no": "BA-01",
            "decided_on": str(today()),
            "members": [{"name": "Ketua Pleno"}, {"name": "Anggota Pleno"}],
            "decisions": decisions,
        }
        return sitting | changed

    async def decide(self, sitting: Json, **headers: str) -> Json:
        """Enter a sitting, and return the decision."""
        request = self.committee.post("/v1/panel-decisions", json=sitting, headers=headers)
        return await done(request, 201)

    async def refused_sitting(self, sitting: Json) -> set[str]:
        """Enter a sitting, and return the codes of its refusal."""
        return await refused(self.committee.post("/v1/panel-decisions", json=sitting))

    async def list_certificates(self, application_id: str) -> list[Json]:
        """Return the certificates of an application."""
        params = {"application_id": application_id}
        page = await done(self.officer.get("/v1/certificates", params=params))
        return page["items"]

    async def issue_certificate(self, participant_ref: str | None = None) -> Json:
        """Return an issued certificate."""
        application_id = await self.recommend(participant_ref)
        decision = await self.decide(self.sitting(application_id))
        return await self.wait_until_issued(decision["items"][0]["certificate_id"])

    async def wait_until_issued(self, certificate_id: str) -> Json:
        """Return the certificate, once it is signed."""

        async def issued() -> Json | None:
            certificate = await done(self.officer.get(f"/v1/certificates/{certificate_id}"))
            return certificate if certificate["state"] == "issued" else None

        return await eventually(issued)

    async def get_credential(self, certificate_id: str) -> Json:
        """Return the signed document of a certificate."""
        return await done(self.officer.get(f"/v1/certificates/{certificate_id}/credential"))

    async def issue_credential(self) -> Json:
        """Issue a certificate, and return its signed document."""
        certificate = await self.issue_certificate()
        return await self.get_credential(certificate["certificate_id"])

    async def change_state(
        self, certificate: Json, verb: str, cause: str = "misuse_of_certificate"
    ) -> Json:
        """Suspend, reinstate or revoke a certificate."""
        path = f"/v1/certificates/{certificate['certificate_id']}/{verb}"
        return await done(change(self.officer, "POST", path, json={"cause": cause}))

    async def verify(self, document: Json) -> Json:
        """Return the result of the public verification of a document."""
        return await done(self.harness.public.post("/v1/verifications", json=document))
