"""The print of a certificate: the PDF is rendered between two transactions.

Not here: the layout of the paper (paper).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

from chassis.persistence.transactions import Runner
from services.certification.certificates import paper, rules, usecases
from services.certification.certificates.usecases import PaperContent
from services.certification.credentials.document import Unit
from services.certification.transaction import Transaction


async def print_paper(
    certificate_id: str, paper_version: int | None, run: Runner[Transaction]
) -> bytes:
    """Return the PDF of a version, by default the newest.

    It is rendered and archived on the first request, then always the same bytes.
    """
    archived = await run(partial(usecases.read_archived_paper, certificate_id, paper_version))
    if archived is not None:
        return archived
    content = await run(partial(usecases.read_paper_content, certificate_id))
    pdf = await asyncio.to_thread(paper.render, _paper(content))
    return await run(partial(usecases.archive_paper, content.certificate, paper.LAYOUT, pdf))


def _paper(content: PaperContent) -> paper.Paper:
    """Return the content of the paper: what was signed, and its English titles."""
    certificate = content.certificate
    terms = content.scheme.terms
    subject = content.credential["credentialSubject"]
    achievement = subject["achievement"]
    english = {unit.code: unit.title_en for unit in terms.units}
    units = tuple(
        Unit(
            code=unit["targetCode"],
            title=unit["targetName"],
            framework=unit["targetFramework"],
            title_en=english.get(unit["targetCode"], ""),
        )
        for unit in achievement["alignment"]
    )
    return paper.Paper(
        issuer_name=content.credential["issuer"]["name"],
        licence_no=certificate.licence.number if certificate.licence else "",
        name=subject["identifier"][0]["identityHash"],
        scheme=achievement["name"],
        scheme_en=terms.title_en,
        units=units,
        numbers=certificate.numbers,
        signatory=certificate.signatory,
        valid_from=datetime.fromisoformat(content.credential["validFrom"]),
        valid_until=datetime.fromisoformat(content.credential["validUntil"]),
        check_url=rules.check_url(certificate),
        token=certificate.token,
        emblem=content.emblem,
    )
