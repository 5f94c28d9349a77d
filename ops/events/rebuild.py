"""The command `events rebuild`: rebuilds a projection from the archive.

Not here: how a service rebuilds and swaps it (chassis.admin.projections).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.progress import Progress

from ops.errors import OperatorError
from ops.json_output import print_json
from ops.language import choose
from ops.local.operator_client import (
    NOT_FOUND,
    OperationRefused,
    Operator,
    run_as_operator,
    select_services,
)
from ops.text_output import print_text


def rebuild_projection(projection: str, service: str | None, *, as_json: bool) -> int:
    """Rebuild a projection of the service that has it; return 0 once it is swapped.

    Raises OperatorError if no service has it.
    """
    console = Console(stderr=True)

    async def rebuild(operator: Operator) -> dict[str, Any]:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for name in select_services(service):
                try:
                    return await _rebuild_in(operator, name, projection, progress)
                except OperationRefused as refusal:
                    if refusal.status != NOT_FOUND:
                        raise
        raise OperatorError(
            f"Tidak ada layanan dengan proyeksi {projection}.",
            f"No service has the projection {projection}.",
        )

    report = run_as_operator(rebuild)
    if as_json:
        print_json(report)
        return 0
    print_text(
        f"{report['service']} {report['projection']}: "
        + choose(
            f"{report['read']} peristiwa dibaca, {report['applied']} diterapkan, "
            f"{report['documents']} dokumen",
            f"{report['read']} events read, {report['applied']} applied, "
            f"{report['documents']} documents",
        )
    )
    return 0


async def _rebuild_in(
    operator: Operator, service: str, projection: str, progress: Progress
) -> dict[str, Any]:
    """Request the rebuild page by page until the projection is swapped; return the counts."""
    path = f"/projections/{quote(projection, safe='')}/rebuild"
    report = {"service": service, "projection": projection, "read": 0, "applied": 0}
    bar = progress.add_task(f"{service}: {projection}", total=None)
    cursor: str | None = None
    while True:
        page = await operator.request(service, "POST", path, {"cursor": cursor})
        report["read"] += page["read"]
        report["applied"] += page["applied"]
        if page["total"] is not None:
            progress.update(bar, total=page["total"])
        progress.update(bar, advance=page["read"])
        cursor = page["next_cursor"]
        if cursor is None:
            return report | {"documents": page["documents"]}
