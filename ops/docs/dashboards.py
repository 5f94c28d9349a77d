"""Grafana's dashboards as code, built with Grafana's own SDK.

`./bina docs` writes their JSON. All panels use the data source with the uid `bina`. Not here: the
panels (`dashboard_panels`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import Dashboard, GridPos, VariableRefresh

from ops.docs.dashboard_panels import BUSINESS, OVERVIEW, PIPELINE, SERVICE, Panel
from ops.local.state_dir import ROOT

DASHBOARDS = ROOT / "deploy/monitoring/dashboards"
DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="bina")
_REGION = 'region=~"$region"'
_REGION_AND_SERVICE = 'region=~"$region",service=~"$service"'
_LEGEND = (
    common.VizLegendOptions()
    .display_mode(LegendDisplayMode.LIST)
    .placement(LegendPlacement.BOTTOM)
    .show_legend(True)  # noqa: FBT003 - the signature of the SDK
)
_GRID_COLUMNS = 24
_PANEL_HEIGHT = 8
_REFRESH = "30s"
_BUSINESS_REFRESH = "5m"


def render_dashboards() -> dict[Path, str]:
    """Return the JSON of each dashboard by its file."""
    boards = (
        _build_board("bina-overview", "Bina: wilayah", OVERVIEW),
        _build_board(
            "bina-pipeline", "Bina: aliran peristiwa", PIPELINE, has_service_variable=True
        ),
        _build_board("bina-service", "Bina: layanan", SERVICE, has_service_variable=True),
        _build_board("bina-business", "Bina: hasil", BUSINESS, refresh=_BUSINESS_REFRESH),
    )
    return {DASHBOARDS / f"{board.uid}.json": _to_json(board) for board in boards}


def _to_json(board: Dashboard) -> str:
    text = json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n"


def _build_board(
    uid: str,
    title: str,
    panels: Iterable[Panel],
    *,
    refresh: str = _REFRESH,
    has_service_variable: bool = False,
) -> Dashboard:
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["bina"])
        .readonly()
        .refresh(refresh)
        .time("now-6h", "now")
        .timezone("browser")
    )
    board = board.with_variable(
        _build_variable("region", "Wilayah", 'label_values(up{job="bina"}, region)')
    )
    if has_service_variable:
        board = board.with_variable(
            _build_variable(
                "service", "Layanan", 'label_values(up{job="bina",region=~"$region"}, service)'
            )
        )
    scope = _REGION_AND_SERVICE if has_service_variable else _REGION
    x = 0
    y = 0
    height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _GRID_COLUMNS:
            x = 0
            y += height
        height = _PANEL_HEIGHT // 2 if panel.is_instant else _PANEL_HEIGHT
        position = GridPos(h=height, w=panel.width, x=x, y=y)
        board = board.with_panel(_build_panel(panel, number, position, scope))
        x += panel.width
    return board.build()


def _build_variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    return variable.multi(True).include_all(True)  # noqa: FBT003 - the signature of the SDK


def _build_panel(
    panel: Panel, number: int, position: GridPos, scope: str
) -> stat.Panel | timeseries.Panel:
    built = stat.Panel() if panel.is_instant else timeseries.Panel().legend(_LEGEND)
    built = (
        built.id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .unit(panel.unit)
        .grid_pos(position)
    )
    for letter, (expression, legend) in zip("ABC", panel.queries.items(), strict=False):
        query = (
            prometheus.Dataquery()
            .ref_id(letter)
            .expr(expression.replace("SCOPE", scope))
            .legend_format(legend or "__auto")
            .datasource(DATA_SOURCE)
            .exemplar(panel.has_exemplars)
        )
        built = built.with_target(query.instant() if panel.is_instant else query.range())
    return built
