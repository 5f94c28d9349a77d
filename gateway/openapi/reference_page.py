"""A page of an OpenAPI document that needs no script and nothing from anywhere else. Not here: the document."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = dict[str, Any]

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,b.m{font-family:ui-monospace,monospace}b.m{display:inline-block;width:4.5rem}
table{border-collapse:collapse;width:100%;margin:.6rem 0}th,td{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:left;vertical-align:top}
.k{background:var(--soft);border-radius:.3rem;padding:0 .4rem;font-size:.85rem}.d{opacity:.75}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".encode()
_PARAMETER_LOCATIONS = {"path": "alamat", "query": "kueri", "header": "kepala", "cookie": "kuki"}


def render_page(document: Node) -> str:
    """The HTML page of the document."""
    title = escape(document["info"]["title"])
    schemas = cast("Node", document.get("components", {}).get("schemas", {}))
    groups: dict[str, list[str]] = {}
    for path, operations in cast("dict[str, Node]", document["paths"]).items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(
                _render_operation(method.upper(), path, operation)
            )
    sections = "".join(
        f'<h2 id="{escape(name)}">{escape(name)}</h2>{"".join(parts)}'
        for name, parts in sorted(groups.items())
    )
    kinds = "".join(_render_schema(name, schema) for name, schema in schemas.items())
    contents = " · ".join(
        f'<a href="#{escape(name)}">{escape(name)}</a>' for name in sorted(groups)
    )
    return (
        f'<!doctype html><html lang="id"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        "<p>Daftar alamat yang dilayani di sini. Yang bertanda <span class=k>terbuka</span> tidak memerlukan token; selebihnya memakai "
        "<code>Authorization: Bearer …</code>. Kesalahan dijawab sebagai <code>application/problem+json</code> (RFC 9457). "
        'Dokumen lengkap: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>'
        '<p class=d lang="en">The addresses served here. Those marked <i>terbuka</i> need no token.</p>'
        f"<p>{contents}</p>{sections}{f'<h2>Bentuk data</h2>{kinds}' if kinds else ''}</body></html>"
    )


def _render_operation(method: str, path: str, operation: Node) -> str:
    text = escape(operation.get("summary", ""))
    is_open = " <span class=k>terbuka</span>" if operation["security"] == [] else ""
    return f"<details><summary><b class=m>{method}</b> <code>{escape(path)}</code>{is_open} <span class=d>{text}</span></summary>{''.join(_render_details(operation))}</details>"


def _render_details(operation: Node) -> Iterator[str]:
    if description := operation.get("description"):
        yield f"<p>{escape(description)}</p>"
    parameters = cast("list[Node]", operation.get("parameters", []))
    if parameters:
        rows = "".join(
            f"<tr><td><code>{escape(parameter['name'])}</code><td>{_PARAMETER_LOCATIONS[parameter['in']]}<td>{_render_type(parameter.get('schema', {}))}"
            f"<td>{'wajib' if parameter.get('required') else ''}<td>{escape(parameter.get('description', ''))}"
            for parameter in parameters
        )
        yield f"<table><tr><th>nama<th>tempat<th>bentuk<th><th>{rows}</table>"
    for media, content in cast(
        "dict[str, Node]", operation.get("requestBody", {}).get("content", {})
    ).items():
        yield f"<p>Isi permintaan (<code>{escape(media)}</code>): {_render_type(content.get('schema', {}))}</p>"
    for status, answer in cast("dict[str, Node]", operation["responses"]).items():
        if status.startswith("2"):
            kinds = " atau ".join(
                f"<code>{escape(media)}</code> {_render_type(content.get('schema', {}))}"
                for media, content in answer.get("content", {}).items()
            )
            yield f"<p>Jawaban {escape(status)}: {kinds or 'tanpa isi'}</p>"


def _render_schema(name: str, schema: Node) -> str:
    required = set(cast("list[str]", schema.get("required", [])))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code><td>{_render_type(kind)}<td>{'wajib' if field in required else ''}<td>{escape(str(kind.get('description', '')))}"
        for field, kind in cast("dict[str, Node]", schema.get("properties", {})).items()
    )
    body = (
        f"<table><tr><th>nama<th>bentuk<th><th>{rows}</table>"
        if rows
        else f"<p>{_render_type(schema)}</p>"
    )
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{body}</details>'


def _render_type(schema: Node) -> str:
    """A schema in a few words."""
    if reference := schema.get("$ref"):
        name = escape(str(reference).rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " | ".join(_render_type(one) for one in cast("list[Node]", schema[several]))
    if "enum" in schema:
        return " | ".join(
            f"<code>{escape(str(value))}</code>" for value in cast("list[Any]", schema["enum"])
        )
    if schema.get("type") == "array":
        return f"daftar {_render_type(schema.get('items', {}))}"
    return escape(
        f"{schema.get('type', 'apa saja')}{' ' + schema['format'] if 'format' in schema else ''}"
    )
