"""An HTML page of an OpenAPI document, without scripts or third-party content.

Not here: merging.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
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
summary{cursor:pointer}code,b.m{font-family:ui-monospace,monospace}
b.m{display:inline-block;width:4.5rem}
table{border-collapse:collapse;width:100%;margin:.6rem 0}
th,td{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:left;vertical-align:top}
.k{background:var(--soft);border-radius:.3rem;padding:0 .4rem;font-size:.85rem}.d{opacity:.75}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()
_PARAMETER_LOCATIONS = {"path": "alamat", "query": "kueri", "header": "kepala", "cookie": "kuki"}
_INTRODUCTION = (
    "<p>Daftar alamat yang dilayani di sini. Yang bertanda <span class=k>terbuka</span> tidak "
    "memerlukan token; selebihnya memakai <code>Authorization: Bearer …</code>. "
    "Kesalahan dijawab sebagai <code>application/problem+json</code> (RFC 9457). "
    'Dokumen lengkap: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>'
    '<p class=d lang="en">The addresses served here. '
    "Those marked <i>terbuka</i> need no token.</p>"
)


def render_page(document: Node) -> str:
    """Return the HTML page of the document."""
    title = escape(document["info"]["title"])
    operations_by_tag: dict[str, list[str]] = defaultdict(list)
    for path, operations in cast("dict[str, Node]", document["paths"]).items():
        for method, operation in operations.items():
            rendered = _render_operation(method.upper(), path, operation)
            operations_by_tag[operation["tags"][0]].append(rendered)
    tags = sorted(operations_by_tag)
    contents = " · ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    sections = "".join(
        f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(operations_by_tag[tag])}'
        for tag in tags
    )
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>{_INTRODUCTION}<p>{contents}</p>{sections}"
        f"{_render_schemas(document)}</body></html>"
    )


def _render_operation(method: str, path: str, operation: Node) -> str:
    summary = escape(operation.get("summary", ""))
    is_public = operation["security"] == []
    mark = " <span class=k>terbuka</span>" if is_public else ""
    return (
        f"<details><summary><b class=m>{method}</b> <code>{escape(path)}</code>{mark} "
        f"<span class=d>{summary}</span></summary>{''.join(_render_details(operation))}</details>"
    )


def _render_details(operation: Node) -> Iterator[str]:
    description = operation.get("description")
    if description:
        yield f"<p>{escape(description)}</p>"
    parameters = cast("list[Node]", operation.get("parameters", []))
    if parameters:
        rows = "".join(map(_render_parameter, parameters))
        yield f"<table><tr><th>nama<th>tempat<th>bentuk<th><th>{rows}</table>"
    request_content = operation.get("requestBody", {}).get("content", {})
    for media, content in cast("dict[str, Node]", request_content).items():
        schema = _render_type(content.get("schema", {}))
        yield f"<p>Isi permintaan (<code>{escape(media)}</code>): {schema}</p>"
    for status, response in cast("dict[str, Node]", operation["responses"]).items():
        if status.startswith("2"):
            yield _render_response(status, response)


def _render_parameter(parameter: Node) -> str:
    location = _PARAMETER_LOCATIONS[parameter["in"]]
    required = "wajib" if parameter.get("required") else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code><td>{location}"
        f"<td>{_render_type(parameter.get('schema', {}))}<td>{required}"
        f"<td>{escape(parameter.get('description', ''))}"
    )


def _render_response(status: str, response: Node) -> str:
    contents = cast("dict[str, Node]", response.get("content", {}))
    kinds = " atau ".join(
        f"<code>{escape(media)}</code> {_render_type(content.get('schema', {}))}"
        for media, content in contents.items()
    )
    return f"<p>Jawaban {escape(status)}: {kinds or 'tanpa isi'}</p>"


def _render_schemas(document: Node) -> str:
    schemas = cast("Node", document.get("components", {}).get("schemas", {}))
    rendered = "".join(_render_schema(name, schema) for name, schema in schemas.items())
    return f"<h2>Bentuk data</h2>{rendered}" if rendered else ""


def _render_schema(name: str, schema: Node) -> str:
    required = set(cast("list[str]", schema.get("required", [])))
    properties = cast("dict[str, Node]", schema.get("properties", {}))
    rows = "".join(
        _render_field(field, kind, is_required=field in required)
        for field, kind in properties.items()
    )
    if rows:
        body = f"<table><tr><th>nama<th>bentuk<th><th>{rows}</table>"
    else:
        body = f"<p>{_render_type(schema)}</p>"
    anchor = escape(name)
    return f'<details id="{anchor}"><summary><code>{anchor}</code></summary>{body}</details>'


def _render_field(name: str, schema: Node, *, is_required: bool) -> str:
    required = "wajib" if is_required else ""
    description = escape(str(schema.get("description", "")))
    return (
        f"<tr><td><code>{escape(name)}</code><td>{_render_type(schema)}"
        f"<td>{required}<td>{description}"
    )


def _render_type(schema: Node) -> str:
    """Return the type of a schema as HTML: a link, alternatives, values or a type name."""
    reference = schema.get("$ref")
    if reference:
        name = escape(str(reference).rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for member in ("anyOf", "oneOf", "allOf"):
        if member in schema:
            return " | ".join(map(_render_type, cast("list[Node]", schema[member])))
    if "enum" in schema:
        values = cast("list[Any]", schema["enum"])
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in values)
    kind = str(schema.get("type", "apa saja"))
    if kind == "array":
        return f"daftar {_render_type(schema.get('items', {}))}"
    if "format" in schema:
        kind = f"{kind} {schema['format']}"
    return escape(kind)
