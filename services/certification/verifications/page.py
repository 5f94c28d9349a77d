"""The public HTML pages: the field for a code, the result of a check, a scheme.

Each page is one document that loads no other resource and works without script. Each says whose
page it is. Not here: the result itself (rules).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from chassis.texts import Text
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.credentials.public_headers import UNINDEXED_HEADERS
from services.certification.credentials.public_texts import TEXTS, format_date, format_period
from services.certification.lsps.rules import Lsp
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
ul{margin:0;padding-left:1.1rem}code{font-size:.9em}
small,[lang=en]{color:#4a5568}
form{background:#fff;border-radius:.5rem;margin:1rem 0;padding:1rem 1.25rem}
label{display:block;font-weight:600}
input{box-sizing:border-box;width:100%;margin:.6rem 0;padding:.6rem .75rem;border:2px solid #1c2430;
border-radius:.25rem;font:1.25rem/1.4 ui-monospace,monospace;letter-spacing:.08em}
button{padding:.7rem 1.4rem;border:0;border-radius:.25rem;background:#14213d;color:#fff;
font:inherit;font-weight:600;cursor:pointer}
input:focus,button:focus,a:focus{outline:3px solid #b45309;outline-offset:2px}
a{color:#14213d}
footer{margin-top:2rem;border-top:1px solid #cbd2d9;padding-top:.75rem;font-size:.85rem;
color:#4a5568}
footer p{margin:.35rem 0}
@media print{body{background:#fff;font-size:12pt}form,.again{display:none}
.answer,dl{border:1px solid #9aa5b1}.answer{border-left:.5rem solid #1c2430}}"""
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
    "form-action 'self'; frame-ancestors 'none'"
)

PAGE_HEADERS: Mapping[str, str] = {
    **UNINDEXED_HEADERS,
    "cache-control": "no-store",
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "vary": "accept",
}


def render_entry(origin: str, issuers: Sequence[Lsp]) -> str:
    """Return the page at `/`: the field for the code, and whose certificates are checked here."""
    title = TEXTS["entry.title"]
    names = "".join(
        f"<li>{escape(issuer.name)} <small>({escape(_licence_numbers(issuer))})</small></li>"
        for issuer in issuers
    )
    listed = f"{_paragraph('entry.issuers')}<ul>{names}</ul>" if names else ""
    body = f"{_paragraph('entry.purpose')}{_render_form()}{_paragraph('entry.where')}{listed}"
    return _render_document(title, body, _paragraph("footer.service", host=_host(origin)))


def render_result(
    result: VerificationResult, lsp: Lsp, moment: datetime, *, is_reissuing: bool = False
) -> str:
    """Return the page of one verification at this moment, which its print shows."""
    word = TEXTS[f"status.{result.status.value}.word"]
    sentence = TEXTS[f"status.{result.status.value}.sentence"]
    if is_reissuing:
        word = TEXTS["reissuing.word"]
        sentence = TEXTS["reissuing.sentence"]
    as_of = _text("check.as_of", moment=_format_moment(result.status_as_of or moment))
    answer = _render_answer(_answer_class(result.status), word, sentence, as_of)
    rows = [
        (TEXTS["check.name"], escape(result.name or "")),
        (TEXTS["check.scheme"], escape(result.scheme or "")),
        (TEXTS["check.issuer"], escape(result.issuer_name or "")),
    ]
    if result.valid_from and result.valid_until:
        period = format_period("check.period_value", result.valid_from, result.valid_until)
        rows.append((TEXTS["check.period"], _both(period)))
    rows.append((TEXTS["check.units"], _render_units(result.units)))
    compare = _paragraph("check.compare") if result.name else ""
    owner = _paragraph(
        "footer.issuer", issuer=lsp.name, licence=_licence_numbers(lsp), host=_host(lsp.origin)
    )
    body = answer + _render_facts(rows) + compare + _again()
    return _render_document(TEXTS["check.title"], body, owner)


def render_unknown_token(origin: str) -> str:
    """Return the page of a code that was never issued, with the field to type it again."""
    answer = _render_answer("no", TEXTS["unknown_code.word"], TEXTS["unknown_code.sentence"])
    footer = _paragraph("footer.service", host=_host(origin))
    return _render_document(TEXTS["check.title"], answer + _render_form(), footer)


def render_scheme(scheme: Scheme, issuer: Lsp) -> str:
    """Return the page of one edition of a scheme, to which credentials point."""
    terms = scheme.terms
    edition = _text("scheme.edition", edition=scheme.edition)
    english = f'<br><span lang="en">{escape(terms.title_en)}</span>' if terms.title_en else ""
    title = f"{escape(terms.title)}{english}<br><small>{escape(edition)}</small>"
    units = [(unit.code, unit.title) for unit in terms.units]
    rows = [
        (TEXTS["check.scheme"], title),
        (TEXTS["check.issuer"], escape(issuer.name)),
        (TEXTS["scheme.description"], escape(terms.description)),
        (TEXTS["scheme.criteria"], escape(terms.criteria)),
        (TEXTS["check.units"], _render_units(units)),
    ]
    owner = _paragraph(
        "footer.issuer",
        issuer=issuer.name,
        licence=_licence_numbers(issuer),
        host=_host(issuer.origin),
    )
    return _render_document(TEXTS["scheme.title"], _render_facts(rows) + _again(), owner)


def render_unknown_scheme(origin: str) -> str:
    """Return the page of a scheme or edition that does not exist."""
    answer = _render_answer("no", TEXTS["unknown_scheme.word"], TEXTS["unknown_scheme.sentence"])
    footer = _paragraph("footer.service", host=_host(origin))
    return _render_document(TEXTS["scheme.title"], answer + _again(), footer)


def _text(code: str, **values: object) -> str:
    return TEXTS[code].id.format(**values)


def _paragraph(code: str, **values: object) -> str:
    """Return a paragraph in both languages."""
    text = TEXTS[code]
    return f"<p>{_both(Text(id=text.id.format(**values), en=text.en.format(**values)))}</p>"


def _both(text: Text) -> str:
    return f'{escape(text.id)}<br><small lang="en">{escape(text.en)}</small>'


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


def _licence_numbers(lsp: Lsp) -> str:
    return ", ".join(licence.number for licence in lsp.licences)


def _render_form() -> str:
    label = TEXTS["entry.label"]
    button = TEXTS["entry.button"]
    return (
        '<form action="/V" method="get" autocomplete="off">'
        f'<label for="kode">{_both(label)}</label>'
        '<input id="kode" name="kode" required maxlength="40" autocapitalize="characters" '
        'spellcheck="false" placeholder="XXXX-XXXX-XXXX">'
        f"<button>{escape(button.id)} / <span>{escape(button.en)}</span></button></form>"
    )


def _again() -> str:
    return f'<p class="again"><a href="/">{_both(TEXTS["check.again"])}</a></p>'


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


def _render_document(title: Text, body: str, footer: str) -> str:
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex,nofollow">'
        '<meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{escape(title.id)}</title>'
        f"<style>{_STYLE}</style></head>"
        f'<body><main><h1>{escape(title.id)} <span lang="en">/ {escape(title.en)}</span></h1>'
        f"{body}<footer>{footer}</footer></main></body></html>"
    )


def _render_facts(rows: Iterable[tuple[Text, str]]) -> str:
    """Return a list of facts. `rows` are pairs of name (text) and value (HTML).

    A row without a value is left out.
    """
    items: list[str] = []
    for name, value in rows:
        if value:
            term = f'{escape(name.id)} <span lang="en">/ {escape(name.en)}</span>'
            items.append(f"<dt>{term}</dt><dd>{value}</dd>")
    return f"<dl>{''.join(items)}</dl>" if items else ""


def _render_units(units: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f"<li><code>{escape(code)}</code> {escape(title)}</li>" for code, title in units
    )
    return f"<ul>{items}</ul>" if items else ""


def _format_moment(moment: datetime) -> str:
    local = moment.astimezone(WESTERN_INDONESIA)
    return f"{format_date(local.date())} {local:%H.%M}"
