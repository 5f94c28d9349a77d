"""Grafana's dashboards as code, built with Grafana's own SDK: `./bina docs` writes their JSON. Not here: what is measured, and what is an alert.

Four: a region at a glance, the pipeline of events, one service, and what the system is for. All panels ask the one data source `Bina`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import Dashboard, GridPos, VariableRefresh

from ops.home import ROOT

DASHBOARDS = ROOT / "deploy/monitoring/dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="bina")
_REGION, _BOTH = 'region=~"$region"', 'region=~"$region",service=~"$service"'
_LEGEND = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)  # noqa: FBT003 - the SDK's way
_COLUMNS, _HEIGHT = 24, 8
_BUSINESS_REFRESH = "5m"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: curves over time, or (`now`) numbers. `queries` are legends by expression, in which SCOPE stands for what the dashboard's variables choose."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    says: str = ""
    width: int = 12
    now: bool = False
    exemplars: bool = False


def _quantile(share: float, histogram: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({', '.join(part for part in (by, 'le') if part)}) (rate({histogram}_bucket{{SCOPE}}[5m])))"


def _heard(kind: str) -> str:
    """How many events of a type took effect in a day, counted where the timeline reads them all."""
    return f'sum(increase(bina_events_applied_total{{service="training",type="{kind}",SCOPE}}[1d]))'


OVERVIEW = (
    Panel("Bagian yang menjawab", {'count by (region) (up{job="bina",SCOPE} == 1)': "{{region}}"}, width=6, now=True),
    Panel("Peringatan yang menyala", {'count by (severity) (ALERTS{alertstate="firing",severity!="none"}) or vector(0)': "{{severity}}"}, width=6, now=True),
    Panel("Permintaan per detik", {"sum by (region) (route:gateway_requests:rate5m{SCOPE})": "{{region}}"}, "reqps", width=6, now=True),
    Panel("UPT tanpa daftar 36 jam", {"count(training_list_age_seconds{SCOPE} > 36 * 3600) or vector(0)": ""}, width=6, now=True),
    Panel("Yang gagal, lambat atau terlambat, enam jam", {"slo:bad:ratio_rate6h{SCOPE}": "{{slo}} {{service}}"}, "percentunit", says="Janjinya: deploy/monitoring/slos.toml"),
    Panel("Kegagalan per pintu", {'sum by (group) (rate(gateway_request_seconds_count{status=~"5..",SCOPE}[5m]))': "{{group}}"}, "reqps"),
    Panel("Lama jawaban di pintu", {_quantile(0.5, "gateway_request_seconds"): "p50", _quantile(0.99, "gateway_request_seconds"): "p99"}, "s", exemplars=True),
    Panel("Umur peristiwa saat berlaku, p99", {"service:bina_event_lag_seconds:p99_5m{SCOPE}": "{{service}}"}, "s"),
)
PIPELINE = (
    Panel("Belum terkirim", {"max by (service) (bina_outbox_unsent_rows{SCOPE})": "{{service}}"}),
    Panel("Umur yang tertua di outbox", {"max by (service) (bina_outbox_age_seconds{SCOPE})": "{{service}}"}, "s"),
    Panel("Belum dibaca", {"service:bina_consumer_lag_events:sum{SCOPE}": "{{service}}"}),
    Panel("Umur peristiwa saat berlaku, p99", {"service:bina_event_lag_seconds:p99_5m{SCOPE}": "{{service}}"}, "s"),
    Panel("Terkirim per detik", {"sum by (service) (rate(bina_outbox_sent_total{SCOPE}[5m]))": "{{service}}"}),
    Panel("Berlaku per detik", {"sum by (service) (rate(bina_events_applied_total{SCOPE}[5m]))": "{{service}}"}),
    Panel("Peristiwa per kelompok, p50", {_quantile(0.5, "bina_consumer_batch_events", "service"): "{{service}}"}),
    Panel("Kelompok yang diulang per detik", {"sum by (service) (rate(bina_consumer_batches_again_total{SCOPE}[5m]))": "{{service}}"}),
    Panel(
        "Tertahan",
        {
            "max by (service) (bina_parked_events{SCOPE})": "{{service}} peristiwa",
            "max by (service) (bina_parked_keys{SCOPE})": "{{service}} kunci",
            "max by (service) (bina_outbox_stopped_keys{SCOPE})": "{{service}} ditolak Kafka",
        },
    ),
    Panel("Menunggu pendahulunya", {"max by (service) (bina_early_facts{SCOPE})": "{{service}}"}),
    Panel("Pengirim yang bertugas", {"sum by (service) (bina_relay_leader{SCOPE})": "{{service}}"}, says="Satu per layanan"),
    Panel("Sudah berlaku sebelumnya, per detik", {"sum by (service) (rate(bina_events_repeated_total{SCOPE}[5m]))": "{{service}}"}),
)
SERVICE = (
    Panel("Permintaan per detik", {"service:bina_http_requests:rate5m{SCOPE}": "{{service}}"}, "reqps"),
    Panel("Bagian yang gagal", {"service:bina_http_errors:ratio_rate5m{SCOPE}": "{{service}}"}, "percentunit"),
    Panel("Lama jawaban, p99", {"service:bina_http_request_seconds:p99_5m{SCOPE}": "{{service}}"}, "s"),
    Panel("Rute yang paling lambat, p99", {f"topk(10, {_quantile(0.99, 'bina_http_request_seconds', 'method, route')})": "{{method}} {{route}}"}, "s", exemplars=True),
    Panel("Transaksi yang diulang per detik", {"sum by (service) (rate(bina_transaction_retries_total{SCOPE}[5m]))": "{{service}}"}),
    Panel(
        "Sambungan MongoDB",
        {
            "sum by (service) (bina_mongo_pool_connections{SCOPE})": "{{service}} terbuka",
            "sum by (service) (bina_mongo_pool_in_use_connections{SCOPE})": "{{service}} bekerja",
            "sum by (service) (bina_mongo_pool_waiting_operations{SCOPE})": "{{service}} menunggu",
        },
    ),
    Panel("Pekerjaan berkala yang gagal", {'sum by (service, work) (increase(bina_job_runs_total{result="failed",SCOPE}[1h]))': "{{service}} {{work}}"}),
    Panel("Audit yang belum disegel", {"max by (service) (bina_audit_unsealed_age_seconds{SCOPE})": "{{service}}"}, "s"),
    Panel("Memori", {"max by (service) (process_resident_memory_bytes{SCOPE})": "{{service}}"}, "bytes"),
    Panel("Prosesor", {"sum by (service) (rate(process_cpu_seconds_total{SCOPE}[5m]))": "{{service}}"}, says="1 = satu inti"),
)
BUSINESS = (
    Panel("Menunggu kursi kelas", {"sum(training_waiting_applications{SCOPE})": ""}, width=6, now=True),
    Panel("Sertifikat yang berlaku", {"sum(certification_in_force_certificates{SCOPE})": ""}, width=6, now=True),
    Panel("Penempatan kerja", {"sum(manpower_placements{SCOPE})": ""}, width=6, now=True),
    Panel("PNBP yang belum disetor", {'sum(marketplace_owed_rupiah{party="pnbp",SCOPE})': ""}, "currencyIDR", width=6, now=True),
    Panel("Hari menunggu kelas", {'max(training_waiting_days{share="0.5",SCOPE})': "median", 'max(training_waiting_days{share="0.9",SCOPE})': "sembilan dari sepuluh"}, "d"),
    Panel("Antrean tanda tangan sertifikat", {"sum by (state) (certification_queue_certificates{SCOPE})": "{{state}}"}),
    Panel("Sertifikat dan penempatan, per hari", {_heard("certification.certificate-issued.v1"): "sertifikat", _heard("manpower.placement-confirmed.v1"): "penempatan"}),
    Panel("Yang masih terutang", {"sum by (party) (marketplace_owed_rupiah{SCOPE})": "{{party}}"}, "currencyIDR"),
    Panel("Umur daftar penghuni", {"topk(20, training_list_age_seconds{SCOPE})": "{{facility}}"}, "s", says="Lebih dari 36 jam: tidak diketahui lagi siapa yang ada"),
    Panel("Kotak masuk yang lewat waktu", {"sum(training_inbox_overdue_items{SCOPE})": "butir"}),
    Panel("Selisih stok", {"sum(marketplace_stock_difference_units{SCOPE})": "unit"}, says="Selalu nol"),
    Panel("Selisih buku", {"sum by (book) (marketplace_books_difference_rupiah{SCOPE})": "{{book}}"}, "currencyIDR", says="Selalu nol"),
    Panel("Umur daftar status sertifikat", {"max(certification_status_list_age_seconds{SCOPE})": ""}, "s"),
    Panel("Perubahan tanpa nomor di umpan", {"sum(manpower_feed_waiting_changes{SCOPE})": ""}),
)


def rendered() -> dict[Path, str]:
    """Each dashboard's file with its text."""
    made = (
        _board("bina-overview", "Bina: wilayah", OVERVIEW, "30s", services=False),
        _board("bina-pipeline", "Bina: aliran peristiwa", PIPELINE, "30s", services=True),
        _board("bina-service", "Bina: layanan", SERVICE, "30s", services=True),
        _board("bina-business", "Bina: hasil", BUSINESS, _BUSINESS_REFRESH, services=False),
    )
    return {DASHBOARDS / f"{board.uid}.json": json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n" for board in made}


def _board(uid: str, title: str, panels: Iterable[Panel], refresh: str, *, services: bool) -> Dashboard:
    board = dashboard.Dashboard(title).uid(uid).tags(["bina"]).readonly().refresh(refresh).time("now-6h", "now").timezone("browser")
    board = board.with_variable(_variable("region", "Wilayah", 'label_values(up{job="bina"}, region)'))
    if services:
        board = board.with_variable(_variable("service", "Layanan", 'label_values(up{job="bina",region=~"$region"}, service)'))
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _COLUMNS:
            x, y = 0, y + height
        height = _HEIGHT // 2 if panel.now else _HEIGHT
        board = board.with_panel(_drawn(panel, number, GridPos(h=height, w=panel.width, x=x, y=y), _BOTH if services else _REGION))
        x += panel.width
    return board.build()


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    made = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return made.multi(True).include_all(True)  # noqa: FBT003 - the SDK's way


def _drawn(panel: Panel, number: int, place: GridPos, scope: str) -> stat.Panel | timeseries.Panel:
    drawn = stat.Panel() if panel.now else timeseries.Panel().legend(_LEGEND)
    drawn = drawn.id(number).title(panel.title).description(panel.says).datasource(SOURCE).unit(panel.unit).grid_pos(place)
    for letter, (expression, legend) in zip("ABC", panel.queries.items(), strict=False):
        asked = prometheus.Dataquery().ref_id(letter).expr(expression.replace("SCOPE", scope)).legend_format(legend or "__auto").datasource(SOURCE).exemplar(panel.exemplars)
        drawn = drawn.with_target(asked.instant() if panel.now else asked.range())
    return drawn
