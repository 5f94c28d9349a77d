"""Rules of papers: the numbers that they show, and their versions (certification section 7).

Not here: the layout (paper, certificate.typ).
"""

from __future__ import annotations

from dataclasses import replace

from chassis.errors import NotFound
from services.certification.certificates.rules import (
    IN_FORCE,
    ArchivedPaper,
    Certificate,
    CertificateState,
    Numbers,
    require_state,
)
from services.certification.names.rules import require_paper_text
from services.certification.settings import TEXTS


class PaperUnknown(NotFound):
    title = TEXTS["errors.paper_unknown"]


def paper_id(certificate_id: str, paper_version: int) -> str:
    """Return the id of one version of the paper; the first has the id of the certificate."""
    return certificate_id if paper_version == 1 else f"{certificate_id}:{paper_version}"


def certificate_id_of(paper: ArchivedPaper) -> str:
    """Return the id of the certificate that a paper shows."""
    return paper.id.partition(":")[0]


def record_numbers(certificate: Certificate, numbers: Numbers) -> Certificate:
    """Record the numbers as received; the same again change nothing.

    Numbers that arrive after the issue make the next version of the paper: the credential is not
    signed again. Raises TextNotPrintable, WordDenied, CertificateStateDiffers.
    """
    require_state(certificate, CertificateState.RESERVED, *IN_FORCE)
    if numbers == certificate.numbers:
        return certificate
    require_paper_text(numbers.certificate_no, "certificate_no")
    require_paper_text(numbers.registration_no, "registration_no")
    require_paper_text(numbers.blank_no, "blank_no")
    is_reserved = certificate.state is CertificateState.RESERVED
    version = certificate.paper_version if is_reserved else certificate.paper_version + 1
    return replace(certificate, numbers=numbers, paper_version=version)


def require_paper_version(certificate: Certificate, wanted: int | None) -> int:
    """Return the version of the paper, by default the newest. Raises PaperUnknown."""
    version = certificate.paper_version if wanted is None else wanted
    if not 1 <= version <= certificate.paper_version:
        raise PaperUnknown
    return version


def require_archived(paper: ArchivedPaper | None) -> ArchivedPaper:
    """Return a paper of an earlier version. Raises PaperUnknown if it was never printed."""
    if paper is None:
        raise PaperUnknown
    return paper
