"""What every service accepts: each moment and day of a request has the chassis's bounds."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import AwareDatetime, BaseModel

from chassis.moments import DayBounds, MomentBounds
from tests.fakes import routes
from tests.gateway.test_services import app_of

SERVICES = ("training", "certification", "marketplace", "manpower", "gateway")
BOUNDS: dict[Any, Any] = {datetime: MomentBounds, AwareDatetime: MomentBounds, date: DayBounds}


def unbounded(hint: Any, path: str, seen: set[Any]) -> Iterator[str]:
    """Yield the paths of moments and days without bounds inside a type."""
    metadata: tuple[Any, ...] = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *metadata_list = typing.get_args(hint)
        metadata = tuple(metadata_list)
    if hint in BOUNDS and BOUNDS[hint] not in metadata:
        yield path
    for argument in typing.get_args(hint):
        yield from unbounded(argument, path, seen)
    if isinstance(hint, type) and issubclass(hint, BaseModel) and hint not in seen:
        seen.add(hint)
        for name, field_hint in typing.get_type_hints(hint, include_extras=True).items():
            yield from unbounded(field_hint, f"{path}.{name}", seen)


@pytest.mark.parametrize("service", SERVICES)
def test_every_moment_and_day_of_a_request_has_bounds(service: str, tmp_path: Path) -> None:
    found: list[str] = []
    for route in routes(app_of(service, tmp_path)):
        hints = typing.get_type_hints(route.endpoint, include_extras=True)
        hints.pop("return", None)
        for name, hint in hints.items():
            found += unbounded(hint, f"{sorted(route.methods or ())} {route.path} {name}", set())
    assert found == []
