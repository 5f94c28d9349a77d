"""The panels of Grafana's dashboards: titles, descriptions and queries.

There are four boards: overview of a region, event pipeline, one service, business results.
Not here: the JSON of a panel (`dashboards`), metrics, alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: curves over time, or current numbers (`is_instant`).

    `queries` maps an expression to its legend. SCOPE in an expression is replaced by the label
    matchers of the dashboard's variables.
    """

    title: str
    description: str
    queries: Mapping[str, str]
    unit: str = "short"
    width: int = 12
    is_instant: bool = False
    has_exemplars: bool = False


def _quantile_query(share: float, histogram: str, by: str = "") -> str:
    labels = f"{by}, le" if by else "le"
    rate = f"rate({histogram}_bucket{{SCOPE}}[5m])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def _gauge_query(name: str, by: str = "") -> str:
    """Return the sum of a scheduled gauge over all regions.

    Within a region it takes the maximum over the replicas: one that has lost the lease may still
    expose its last value.
    """
    selector = name if "{" in name else f"{name}{{SCOPE}}"
    labels = f"region, {by}" if by else "region"
    total = f"sum by ({by}) " if by else "sum "
    return f"{total}(max by ({labels}) ({selector}))"


def _daily_events_query(kind: str) -> str:
    """Return the number of events of a type that training applied in a day (for its timeline)."""
    labels = f'service="training",type="{kind}",SCOPE'
    return f"sum(increase(bina_events_applied_total{{{labels}}}[1d]))"


_FIRING_ALERTS = 'ALERTS{alertstate="firing",severity!="none"}'
_SNAPSHOT_AGE = "max by (region, facility) (training_snapshot_age_seconds{SCOPE})"
_SERVER_ERRORS = 'gateway_request_seconds_count{status=~"5..",SCOPE}'
_ROUTE_P99 = _quantile_query(0.99, "bina_http_request_seconds", "method, route")
_FAILED_RUNS = 'bina_job_runs_total{result="failed",SCOPE}'

OVERVIEW = (
    Panel(
        "Bagian yang menjawab",
        "Dari lima di setiap wilayah; kurang dari itu lihat ProcessDown",
        {'count by (region) (up{job="bina",SCOPE} == 1)': "{{region}}"},
        width=6,
        is_instant=True,
    ),
    Panel(
        "Peringatan yang menyala",
        "page membangunkan orang, ticket menunggu hari kerja",
        {f"count by (severity) ({_FIRING_ALERTS}) or vector(0)": "{{severity}}"},
        width=6,
        is_instant=True,
    ),
    Panel(
        "Permintaan per detik",
        "Di semua pintu, lima menit terakhir",
        {"sum by (region) (route:gateway_requests:rate5m{SCOPE})": "{{region}}"},
        "reqps",
        width=6,
        is_instant=True,
    ),
    Panel(
        "UPT tanpa daftar 36 jam",
        "Di sana tidak diketahui lagi siapa yang ada",
        {f"count({_SNAPSHOT_AGE} > 36 * 3600) or vector(0)": ""},
        width=6,
        is_instant=True,
    ),
    Panel(
        "Yang gagal, lambat atau terlambat, enam jam",
        "Janjinya: deploy/monitoring/slos.toml",
        {"slo:bad:ratio_rate6h{SCOPE}": "{{slo}} {{service}}"},
        "percentunit",
    ),
    Panel(
        "Kegagalan per pintu",
        "Jawaban 5xx: kesalahan di pihak kita, bukan penolakan",
        {f"sum by (group) (rate({_SERVER_ERRORS}[5m]))": "{{group}}"},
        "reqps",
    ),
    Panel(
        "Lama jawaban di pintu",
        "Separuh permintaan dijawab lebih cepat dari p50, 99 dari seratus lebih cepat dari p99",
        {
            _quantile_query(0.5, "gateway_request_seconds"): "p50",
            _quantile_query(0.99, "gateway_request_seconds"): "p99",
        },
        "s",
        has_exemplars=True,
    ),
    Panel(
        "Umur peristiwa saat berlaku, p99",
        "Dari terjadi di satu layanan sampai berlaku di layanan ini",
        {"service:bina_event_lag_seconds:p99_5m{SCOPE}": "{{service}}"},
        "s",
    ),
)
PIPELINE = (
    Panel(
        "Belum terkirim",
        "Baris outbox yang menunggu pengirim; tidak ada yang hilang",
        {"max by (service) (bina_outbox_unsent_rows{SCOPE})": "{{service}}"},
    ),
    Panel(
        "Umur yang tertua di outbox",
        "Lebih dari semenit: OutboxNotSent",
        {"max by (service) (bina_outbox_age_seconds{SCOPE})": "{{service}}"},
        "s",
    ),
    Panel(
        "Belum dibaca",
        "Peristiwa di Kafka yang belum dibaca layanan ini",
        {"service:bina_consumer_lag_events:sum{SCOPE}": "{{service}}"},
    ),
    Panel(
        "Umur peristiwa saat berlaku, p99",
        "Dari terjadi di satu layanan sampai berlaku di layanan ini",
        {"service:bina_event_lag_seconds:p99_5m{SCOPE}": "{{service}}"},
        "s",
    ),
    Panel(
        "Terkirim per detik",
        "Peristiwa dari outbox ke Kafka",
        {"sum by (service) (rate(bina_outbox_sent_total{SCOPE}[5m]))": "{{service}}"},
        "eps",
    ),
    Panel(
        "Berlaku per detik",
        "Peristiwa yang akibatnya tercatat di layanan ini",
        {"sum by (service) (rate(bina_events_applied_total{SCOPE}[5m]))": "{{service}}"},
        "eps",
    ),
    Panel(
        "Peristiwa per kelompok, p50",
        "Satu kelompok satu transaksi, paling banyak 500",
        {_quantile_query(0.5, "bina_consumer_batch_events", "service"): "{{service}}"},
    ),
    Panel(
        "Kelompok yang diulang per detik",
        "Bentrok dengan perintah pada dokumen yang sama; kelompoknya mengecil sendiri",
        {"sum by (service) (rate(bina_consumer_batch_retries_total{SCOPE}[5m]))": "{{service}}"},
        "ops",
    ),
    Panel(
        "Tertahan",
        "Selalu nol; selain itu: ./bina events parked list",
        {
            "max by (service) (bina_parked_events{SCOPE})": "{{service}} peristiwa",
            "max by (service) (bina_parked_keys{SCOPE})": "{{service}} kunci",
            "max by (service) (bina_outbox_blocked_keys{SCOPE})": "{{service}} ditolak Kafka",
        },
    ),
    Panel(
        "Menunggu pendahulunya",
        "Fakta tentang sesuatu yang belum dikenal di sini",
        {"max by (service) (bina_early_events{SCOPE})": "{{service}}"},
    ),
    Panel(
        "Pengirim yang bertugas",
        "Satu per layanan",
        {"sum by (service) (bina_relay_leader{SCOPE})": "{{service}}"},
    ),
    Panel(
        "Sudah berlaku sebelumnya, per detik",
        "Kiriman ulang yang dikenali dan tidak berlaku dua kali",
        {"sum by (service) (rate(bina_events_duplicate_total{SCOPE}[5m]))": "{{service}}"},
        "eps",
    ),
)
SERVICE = (
    Panel(
        "Permintaan per detik",
        "Yang sampai di layanan ini, lima menit terakhir",
        {"service:bina_http_requests:rate5m{SCOPE}": "{{service}}"},
        "reqps",
    ),
    Panel(
        "Bagian yang gagal",
        "Jawaban 5xx dari semua jawaban",
        {"service:bina_http_errors:ratio_rate5m{SCOPE}": "{{service}}"},
        "percentunit",
    ),
    Panel(
        "Lama jawaban, p99",
        "Satu dari seratus permintaan lebih lama dari ini",
        {"service:bina_http_request_seconds:p99_5m{SCOPE}": "{{service}}"},
        "s",
    ),
    Panel(
        "Rute yang paling lambat, p99",
        "Sepuluh rute; titik pada kurva membuka jejaknya",
        {f"topk(10, {_ROUTE_P99})": "{{method}} {{route}}"},
        "s",
        has_exemplars=True,
    ),
    Panel(
        "Transaksi yang diulang per detik",
        "Dua perintah pada dokumen yang sama; salah satunya diulang",
        {"sum by (service) (rate(bina_transaction_retries_total{SCOPE}[5m]))": "{{service}}"},
        "ops",
    ),
    Panel(
        "Sambungan MongoDB",
        "Yang menunggu sambungan seharusnya nol",
        {
            "sum by (service) (bina_mongo_pool_connections{SCOPE})": "{{service}} terbuka",
            "sum by (service) (bina_mongo_pool_in_use_connections{SCOPE})": "{{service}} bekerja",
            "sum by (service) (bina_mongo_pool_waiting_operations{SCOPE})": "{{service}} menunggu",
        },
    ),
    Panel(
        "Pekerjaan berkala yang gagal",
        "Kali dalam satu jam",
        {f"sum by (service, work) (increase({_FAILED_RUNS}[1h]))": "{{service}} {{work}}"},
    ),
    Panel(
        "Audit yang belum disegel",
        "Umur baris tertua; lebih dari semenit: AuditNotSealed",
        {"max by (service) (bina_audit_unsealed_age_seconds{SCOPE})": "{{service}}"},
        "s",
    ),
    Panel(
        "Memori",
        "Replika yang terbesar",
        {"max by (service) (process_resident_memory_bytes{SCOPE})": "{{service}}"},
        "bytes",
    ),
    Panel(
        "Prosesor",
        "1 = satu inti",
        {"sum by (service) (rate(process_cpu_seconds_total{SCOPE}[5m]))": "{{service}}"},
    ),
)
BUSINESS = (
    Panel(
        "Menunggu kursi kelas",
        "Permohonan yang masih dapat menjadi kursi",
        {_gauge_query("training_waiting_applications"): ""},
        width=6,
        is_instant=True,
    ),
    Panel(
        "Sertifikat yang berlaku",
        "Terbit dan tidak dibekukan atau dicabut",
        {_gauge_query("certification_in_force_certificates"): ""},
        width=6,
        is_instant=True,
    ),
    Panel(
        "Penempatan kerja",
        "Yang pernah dipastikan",
        {_gauge_query("manpower_placements"): ""},
        width=6,
        is_instant=True,
    ),
    Panel(
        "PNBP yang belum disetor",
        "Semua Lapas bersama",
        {_gauge_query('marketplace_owed_rupiah{party="pnbp",SCOPE}'): ""},
        "currencyIDR",
        width=6,
        is_instant=True,
    ),
    Panel(
        "Hari menunggu kelas",
        "Sejak permohonan dibuat, yang belum mendapat kursi",
        {
            'max(training_waiting_days{share="0.5",SCOPE})': "median",
            'max(training_waiting_days{share="0.9",SCOPE})': "sembilan dari sepuluh",
        },
        "d",
    ),
    Panel(
        "Antrean tanda tangan sertifikat",
        "waiting menunggu giliran, stuck tidak dapat ditandatangani",
        {_gauge_query("certification_queue_certificates", "state"): "{{state}}"},
    ),
    Panel(
        "Sertifikat dan penempatan, per hari",
        "Yang terbit atau dipastikan dalam 24 jam terakhir",
        {
            _daily_events_query("certification.certificate-issued.v1"): "sertifikat",
            _daily_events_query("manpower.placement-confirmed.v1"): "penempatan",
        },
    ),
    Panel(
        "Yang masih terutang",
        "pnbp kepada negara, premi kepada yang bekerja; semua orang bersama",
        {_gauge_query("marketplace_owed_rupiah", "party"): "{{party}}"},
        "currencyIDR",
    ),
    Panel(
        "Umur daftar penghuni",
        "Lebih dari 36 jam: tidak diketahui lagi siapa yang ada",
        {"topk(20, max by (facility) (training_snapshot_age_seconds{SCOPE}))": "{{facility}}"},
        "s",
    ),
    Panel(
        "Kotak masuk yang lewat waktu",
        "Yang seharusnya sudah diselesaikan petugas",
        {_gauge_query("training_overdue_tasks"): "butir"},
    ),
    Panel(
        "Selisih stok", "Selalu nol", {_gauge_query("marketplace_stock_difference_units"): "unit"}
    ),
    Panel(
        "Selisih buku",
        "Selalu nol",
        {_gauge_query("marketplace_books_difference_rupiah", "book"): "{{book}}"},
        "currencyIDR",
    ),
    Panel(
        "Umur daftar status sertifikat",
        "Lebih dari sejam: StatusListsLate",
        {"max(certification_status_list_age_seconds{SCOPE})": ""},
        "s",
    ),
    Panel(
        "Perubahan tanpa nomor di umpan",
        "Yang belum dapat dibaca Dinas dan pemberi kerja",
        {_gauge_query("manpower_feed_waiting_changes"): ""},
    ),
)
