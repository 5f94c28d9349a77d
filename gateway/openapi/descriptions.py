"""What a document says to people: names of operations, roles, titles of host groups.

Not here: how documents are merged (merging).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chassis.texts import load_texts
from gateway.access.permissions import PUBLIC
from gateway.access.permissions.roles import TITLES as ROLE_TITLES
from gateway.host_group import Group

if TYPE_CHECKING:
    from gateway.routing.table import Route

_NAMES_FILE = Path(__file__).with_name("operation_names.toml")
_GROUP_TEXTS = load_texts(Path(__file__).with_name("texts.toml"))
_SENTENCE = re.compile(r"(.+?)(?:[.;:](?:\s|$)|$)")
GROUP_TITLES = {
    Group.STAFF: "Bina: petugas",
    Group.SHOP: "Bina: toko",
    Group.CERTIFICATE: "Pemeriksaan sertifikat",
    Group.PARTNER: "Bina: mitra",
}


def _load_names() -> dict[str, str]:
    tables = tomllib.loads(_NAMES_FILE.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for table in tables.values():
        names |= table
    return names


_NAMES = _load_names()


def describe_group(group: Group) -> str:
    """Return the description of a group's document, in both languages."""
    text = _GROUP_TEXTS[group]
    return f"{text.id}\n\n*{text.en}*"


def name_operation(route: Route, service_operation: Mapping[str, Any]) -> str:
    """Return the name of an operation in both languages, from the service or the file.

    Without any name it is the method and the template.
    """
    indonesian = find_indonesian_name(route, service_operation)
    description = cast("str", service_operation.get("description", ""))
    sentence = _SENTENCE.match(description)
    english = sentence[1] if sentence else ""
    names = [name for name in (indonesian, english) if name]
    return " / ".join(names) or route.permission


def find_indonesian_name(route: Route, service_operation: Mapping[str, Any]) -> str:
    """Return the route's `summary`, else the name in the file, else ""."""
    summary = cast("str", service_operation.get("summary", ""))
    derived = cast("str", service_operation.get("operationId", "")).replace("_", " ").title()
    if summary and summary != derived:
        return summary
    for_every_service = route.permission.replace(f"/{route.service}/", "/{service}/")
    return _NAMES.get(route.permission) or _NAMES.get(for_every_service, "")


def list_roles(route: Route) -> list[str]:
    """Return the roles that may use a route; only `public` if it is open to anybody."""
    return [PUBLIC] if route.is_public else sorted(route.roles)


def describe_roles(route: Route) -> str:
    """Return a paragraph that names the roles, in both languages."""
    if route.is_public:
        return "Terbuka bagi siapa saja, tanpa token. / *Open to anybody, without a token.*"
    roles = ", ".join(f"{ROLE_TITLES[role].id} (`{role}`)" for role in list_roles(route))
    return f"Peran / *Roles*: {roles}."
