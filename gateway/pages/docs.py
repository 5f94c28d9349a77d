"""The page `/docs`: Swagger UI over the OpenAPI document of its host, and the page's files.

Not here: the document (openapi), and how the files are built (`./bina assets`).
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from chassis.texts import load_texts
from gateway.host_group import Group
from gateway.openapi.descriptions import GROUP_TITLES

ASSETS = Path(__file__).with_name("assets")
# What a browser loads, in this order: built files of the package, then our own.
FILES = {
    "swagger-ui.css": ASSETS / "built" / "swagger-ui.css",
    "swagger-ui-bundle.js": ASSETS / "built" / "swagger-ui-bundle.js",
    "docs.css": ASSETS / "docs.css",
    "docs.js": ASSETS / "docs.js",
}
_TEXTS = load_texts(Path(__file__).with_name("texts.toml"))
_MEDIA_TYPES = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8"}
# Swagger UI's style sheet has its icons in `data:` addresses.
CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, also compressed."""

    media_type: bytes
    content: bytes
    gzipped: bytes


def load_assets() -> dict[str, Asset]:
    """Return the files by path, compressed once.

    A path contains the hash of all files, so that a browser may keep them.
    """
    contents = {name: file.read_bytes() for name, file in FILES.items()}
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()[:16]
    return {
        f"/docs/{digest}/{name}": Asset(
            _MEDIA_TYPES[Path(name).suffix], content, gzip.compress(content, mtime=0)
        )
        for name, content in contents.items()
    }


def render_docs(group: Group, paths: list[str], *, has_try_it: bool) -> bytes:
    """Return the page of a group, which loads these paths.

    `has_try_it` lets the reader send requests from the page.
    """
    styles = "".join(f'<link rel="stylesheet" href="{p}">' for p in paths if p.endswith(".css"))
    scripts = "".join(f'<script defer src="{p}"></script>' for p in paths if p.endswith(".js"))
    search = _TEXTS["docs.search"]
    no_script = _TEXTS["docs.no_script"]
    title = escape(GROUP_TITLES[group])
    return (
        '<!doctype html><html lang="id"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title>{styles}{scripts}</head><body>"
        f'<p class="hint">{search.id} <span lang="en">/ {search.en}</span></p>'
        f'<noscript><p class="hint">{no_script.id} <span lang="en">/ {no_script.en}</span> '
        '<a href="/openapi.json">/openapi.json</a></p></noscript>'
        f'<div id="docs" data-try-it="{str(has_try_it).lower()}"></div></body></html>'
    ).encode()
