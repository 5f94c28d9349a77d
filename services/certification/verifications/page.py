"""The pages that anybody may read: what is said of a certificate, and what a scheme is. One document each, nothing fetched from elsewhere. Not here: what is said."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape

from services.certification import texts
from services.certification.certificates.rules import WESTERN_INDONESIA
from services.certification.schemes.rules import Scheme
from services.certification.verifications.rules import Status, VerificationResult

_STYLE = """body{margin:0;background:#f4f5f7;color:#1c2430;font:17px/1.5 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1rem;font-weight:600;color:#4a5568;margin:0 0 1rem}
.answer{border-radius:.5rem;padding:1rem 1.25rem;background:#fff;border-left:.5rem solid #b45309}
.answer.valid{border-color:#15803d}.answer.no{border-color:#b91c1c}
.answer strong{display:block;font-size:1.6rem;line-height:1.25}
.answer small{color:#4a5568}
dl{background:#fff;border-radius:.5rem;margin:1rem 0;padding:1rem 1.25rem}
dt{color:#4a5568;font-size:.85rem;margin-top:.6rem}dt:first-child{margin-top:0}
dd{margin:0;overflow-wrap:anywhere}
ul{margin:0;padding-left:1.1rem}code{font-size:.9em}"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_NEGATIVE_STATUSES = frozenset(
    {Status.INVALID, Status.REVOKED, Status.REPLACED, Status.UNKNOWN_ISSUER}
)

UNINDEXED_HEADERS: Mapping[str, str] = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
PAGE_HEADERS: Mapping[str, str] = {
    **UNINDEXED_HEADERS,
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "vary": "accept",
}


def render_result(result: VerificationResult) -> str:
    """The page of one verification."""
    word, sentence, english = texts.STATUS_WORDS[result.status.value]
    kind = (
        "valid"
        if result.status is Status.VALID
        else "no"
        if result.status in _NEGATIVE_STATUSES
        else "wait"
    )
    moment = (
        f"<br><small>{escape(texts.CHECK_AS_OF.format(moment=_format_moment(result.status_as_of)))}</small>"
        if result.status_as_of
        else ""
    )
    head = f'<div class="answer {kind}" role="status"><strong>{escape(word)}</strong>{escape(sentence)}<br><small lang="en">{escape(english)}</small>{moment}</div>'
    rows = [
        (texts.CHECK_NAME, escape(result.name or "")),
        (texts.CHECK_SCHEME, escape(result.scheme or "")),
        (texts.CHECK_ISSUER, escape(result.issuer_name or "")),
    ]
    if result.valid_from and result.valid_until:
        rows.append(
            (
                texts.CHECK_PERIOD,
                escape(
                    texts.CHECK_PERIOD_VALUE.format(
                        start=_format_day(result.valid_from), end=_format_day(result.valid_until)
                    )
                ),
            )
        )
    rows.append((texts.CHECK_UNITS, _render_units(result.units)))
    compare = f"<p>{escape(texts.CHECK_COMPARE)}</p>" if result.name else ""
    return _render_document(texts.CHECK_TITLE, head + _render_facts(rows) + compare)


def render_unknown_token() -> str:
    """The page of a code that nobody gave out."""
    return _render_refusal(
        texts.CHECK_TITLE, texts.UNKNOWN_TITLE, texts.UNKNOWN_TEXT, texts.UNKNOWN_ENGLISH
    )


def render_scheme(found: Scheme, issuer_name: str) -> str:
    """The page of one edition of a scheme: where credentials point to."""
    terms = found.terms
    rows = [
        (
            texts.CHECK_SCHEME,
            f"{escape(terms.title)}<br><small>{escape(texts.SCHEME_EDITION.format(edition=found.edition))}</small>",
        ),
        (texts.CHECK_ISSUER, escape(issuer_name)),
        ("", escape(terms.description)),
        ("", escape(terms.criteria)),
        (texts.CHECK_UNITS, _render_units((unit.code, unit.title) for unit in terms.units)),
    ]
    return _render_document(texts.SCHEME_TITLE, _render_facts(rows))


def render_unknown_scheme() -> str:
    """The page of a scheme that nobody published."""
    return _render_refusal(
        texts.SCHEME_TITLE,
        texts.SCHEME_UNKNOWN,
        texts.SCHEME_UNKNOWN_TEXT,
        texts.SCHEME_UNKNOWN_ENGLISH,
    )


def _render_refusal(title: str, word: str, sentence: str, english: str) -> str:
    return _render_document(
        title,
        f'<div class="answer no" role="status"><strong>{escape(word)}</strong>{escape(sentence)}<br><small lang="en">{escape(english)}</small></div>',
    )


def _render_document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="id"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex,nofollow"><meta name="referrer" content="no-referrer"><link rel="icon" href="data:,"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _render_facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of facts; `rows` hold HTML on the right side."""
    listed = "".join(
        (f"<dt>{escape(name)}</dt>" if name else "") + f"<dd>{value}</dd>"
        for name, value in rows
        if value
    )
    return f"<dl>{listed}</dl>" if listed else ""


def _render_units(units: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f"<li><code>{escape(code)}</code> {escape(title)}</li>" for code, title in units
    )
    return f"<ul>{items}</ul>" if items else ""


def _format_day(moment: datetime) -> str:
    return texts.format_date(moment.astimezone(WESTERN_INDONESIA).date())


def _format_moment(moment: datetime) -> str:
    local = moment.astimezone(WESTERN_INDONESIA)
    return f"{texts.format_date(local.date())} {local:%H.%M}"
