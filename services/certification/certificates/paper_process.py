"""The print of a certificate: the PDF is rendered between two transactions.

Not here: the layout of the paper (paper).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Any

from chassis.persistence.transactions import Runner
from services.certification.certificates import paper, rules, usecases
from services.certification.certificates.rules import Certificate
from services.certification.transaction import Transaction


async def print_paper(certificate_id: str, run: Runner[Transaction]) -> bytes:
    """Return the PDF: rendered and archived on the first request, then always the same bytes."""
    archived = await run(partial(usecases.read_archived_paper, certificate_id))
    if archived is not None:
        return archived
    certificate, credential = await run(partial(usecases.read_credential, certificate_id))
    pdf = await asyncio.to_thread(paper.render, _paper(certificate, credential))
    return await run(partial(usecases.archive_paper, certificate_id, paper.LAYOUT, pdf))


def _paper(certificate: Certificate, credential: dict[str, Any]) -> paper.Paper:
    """Return the content of the paper, which shows exactly what was signed."""
    subject = credential["credentialSubject"]
    achievement = subject["achievement"]
    units = tuple(
        (unit["targetCode"], unit["targetName"], unit["targetFramework"])
        for unit in achievement["alignment"]
    )
    return paper.Paper(
        issuer_name=credential["issuer"]["name"],
        name=subject["identifier"][0]["identityHash"],
        scheme=achievement["name"],
        units=units,
        valid_from=datetime.fromisoformat(credential["validFrom"]),
        valid_until=datetime.fromisoformat(credential["validUntil"]),
        check_url=rules.check_url(certificate),
        token=certificate.token,
    )
