"""The public HTML pages: the result of a check, and the edition of a scheme.

Each page is one document that loads no other resource. Not here: the result itself (rules).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape

from chassis.texts import Text
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.credentials.public_headers import UNINDEXED_HEADERS
from services.certification.credentials.public_texts import TEXTS, format_date
from services.certification.schemes.rules import Scheme
from services.certification.verifications.rules import VerificationResult, VerificationStatus

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
    {
        VerificationStatus.INVALID,
        VerificationStatus.REVOKED,
        VerificationStatus.REPLACED,
        VerificationStatus.UNKNOWN_ISSUER,
    }
)
_CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

PAGE_HEADERS: Mapping[str, str] = {
    **UNINDEXED_HEADERS,
    "cache-control": "no-store",
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "vary": "accept",
}


def render_result(result: VerificationResult) -> str:
    """Return the page of one verification."""
    word = TEXTS[f"status.{result.status.value}.word"]
    sentence = TEXTS[f"status.{result.status.value}.sentence"]
    as_of = ""
    if result.status_as_of:
        as_of = _text("check.as_of", moment=_format_moment(result.status_as_of))
    answer = _render_answer(_answer_class(result.status), word, sentence, as_of)
    rows = [
        (TEXTS["check.name"].id, escape(result.name or "")),
        (TEXTS["check.scheme"].id, escape(result.scheme or "")),
        (TEXTS["check.issuer"].id, escape(result.issuer_name or "")),
    ]
    if result.valid_from and result.valid_until:
        start = _format_day(result.valid_from)
        end = _format_day(result.valid_until)
        period = _text("check.period_value", start=start, end=end)
        rows.append((TEXTS["check.period"].id, escape(period)))
    rows.append((TEXTS["check.units"].id, _render_units(result.units)))
    compare = f"<p>{escape(TEXTS['check.compare'].id)}</p>" if result.name else ""
    return _render_document(TEXTS["check.title"].id, answer + _render_facts(rows) + compare)


def render_unknown_token() -> str:
    """Return the page of a code that was never issued."""
    return _render_refusal(
        TEXTS["check.title"].id, TEXTS["unknown_code.word"], TEXTS["unknown_code.sentence"]
    )


def render_scheme(scheme: Scheme, issuer_name: str) -> str:
    """Return the page of one edition of a scheme, to which credentials point."""
    terms = scheme.terms
    edition = _text("scheme.edition", edition=scheme.edition)
    title = f"{escape(terms.title)}<br><small>{escape(edition)}</small>"
    units = [(unit.code, unit.title) for unit in terms.units]
    rows = [
        (TEXTS["check.scheme"].id, title),
        (TEXTS["check.issuer"].id, escape(issuer_name)),
        ("", escape(terms.description)),
        ("", escape(terms.criteria)),
        (TEXTS["check.units"].id, _render_units(units)),
    ]
    return _render_document(TEXTS["scheme.title"].id, _render_facts(rows))


def render_unknown_scheme() -> str:
    """Return the page of a scheme or edition that does not exist."""
    return _render_refusal(
        TEXTS["scheme.title"].id, TEXTS["unknown_scheme.word"], TEXTS["unknown_scheme.sentence"]
    )


def _text(code: str, **values: object) -> str:
    return TEXTS[code].id.format(**values)


def _answer_class(status: VerificationStatus) -> str:
    if status is VerificationStatus.VALID:
        return "valid"
    return "no" if status in _NEGATIVE_STATUSES else "wait"


def _render_answer(css_class: str, word: Text, sentence: Text, as_of: str = "") -> str:
    moment = f"<br><small>{escape(as_of)}</small>" if as_of else ""
    return (
        f'<div class="answer {css_class}" role="status"><strong>{escape(word.id)}</strong>'
        f'{escape(sentence.id)}<br><small lang="en">{escape(sentence.en)}</small>{moment}</div>'
    )


def _render_refusal(title: str, word: Text, sentence: Text) -> str:
    return _render_document(title, _render_answer("no", word, sentence))


def _render_document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex,nofollow">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _render_facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of facts. `rows` are pairs of name (text) and value (HTML).

    A row without a value is left out.
    """
    items: list[str] = []
    for name, value in rows:
        if value:
            term = f"<dt>{escape(name)}</dt>" if name else ""
            items.append(f"{term}<dd>{value}</dd>")
    return f"<dl>{''.join(items)}</dl>" if items else ""


def _render_units(units: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f"<li><code>{escape(code)}</code> {escape(title)}</li>" for code, title in units
    )
    return f"<ul>{items}</ul>" if items else ""


def _format_day(moment: datetime) -> str:
    return format_date(moment.astimezone(WESTERN_INDONESIA).date())


def _format_moment(moment: datetime) -> str:
    local = moment.astimezone(WESTERN_INDONESIA)
    return f"{format_date(local.date())} {local:%H.%M}"
