"""The page at `/` of a host: what it is and where to go on, without scripts.

Not here: the page of the certificate host, which certification answers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path

from chassis.texts import Text, load_texts
from gateway.host_group import Group

_TEXTS = load_texts(Path(__file__).with_name("texts.toml"))
_STYLE = """
:root{color-scheme:light dark}
body{font:18px/1.6 system-ui,sans-serif;max-width:42rem;margin:0 auto;padding:2rem 1.25rem}
h1{font-size:1.7rem;line-height:1.2}
[lang=en]{opacity:.8;font-size:.92em}
li{margin:.6rem 0}
a{text-underline-offset:.15em}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()
# The other hosts that a page names. The shop is for the public, who has no use for the others.
_LINKED_GROUPS = {
    Group.STAFF: (Group.SHOP, Group.CERTIFICATE, Group.PARTNER),
    Group.SHOP: (Group.CERTIFICATE,),
    Group.PARTNER: (Group.CERTIFICATE, Group.SHOP),
}


def render_home(group: Group, origins: Mapping[Group, str]) -> bytes | None:
    """Return the page at `/` of a group; None for the certificate host. `origins` by group."""
    if group is Group.CERTIFICATE:
        return None
    links = [("/docs", "docs"), ("/openapi.json", "openapi")]
    if group is Group.SHOP:
        links.insert(0, ("/v1/products", "products"))
    links += [(f"{origins[other]}/", other) for other in _LINKED_GROUPS[group]]
    title = _TEXTS[f"home.{group}.title"]
    items = "".join(_render_link(address, _TEXTS[f"links.{name}"]) for address, name in links)
    paragraphs = "".join(_render_paragraph(_TEXTS[f"home.{group}.{n}"]) for n in ("about", "next"))
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title.id)}</title><style>{_STYLE}</style></head>"
        f'<body><main><h1>{escape(title.id)} <span lang="en">/ {escape(title.en)}</span></h1>'
        f"{paragraphs}<ul>{items}</ul></main></body></html>"
    ).encode()


def _render_paragraph(text: Text) -> str:
    return f'<p>{escape(text.id)}</p><p lang="en">{escape(text.en)}</p>'


def _render_link(address: str, text: Text) -> str:
    label = f'{escape(text.id)} <span lang="en">/ {escape(text.en)}</span>'
    return f'<li><a href="{escape(address)}">{label}</a></li>'
