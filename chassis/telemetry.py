"""Logs, metrics and traces. Not here: alert rules (deploy/monitoring).

The chassis's own metrics are called `bina_<noun>_<unit>`. docs/monitoring.md lists the labels
that are allowed; none of them may identify a person.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "bina_http_request_seconds",
    "Duration of requests by method, route template and status",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
TRANSACTION_RETRIES = Counter(
    "bina_transaction_retries_total", "Transactions that ran again after a conflict"
)
EVENTS_SENT = Counter("bina_outbox_sent_total", "Outbox rows acknowledged by Kafka")
OUTBOX_UNSENT = Gauge("bina_outbox_unsent_rows", "Outbox rows that wait to be sent")
OUTBOX_AGE = Gauge("bina_outbox_age_seconds", "Age of the oldest outbox row that waits")
OUTBOX_STOPPED = Gauge(
    "bina_outbox_blocked_keys",
    "Keys that are blocked because the broker refused one of their rows",
)
RELAY_FAILURES = Counter(
    "bina_relay_failures_total", "Sends that failed, after which the producer was replaced"
)
RELAY_LEADER = Gauge(
    "bina_relay_leader", "1 while this replica sends the outbox and its sends succeed"
)
EVENTS_APPLIED = Counter("bina_events_applied_total", "Events that took effect", ["type"])
EVENTS_REPEATED = Counter(
    "bina_events_duplicate_total", "Events dropped because they had taken effect before", ["topic"]
)
EVENTS_IGNORED = Counter(
    "bina_events_ignored_total", "Events of a type that this service does not read", ["topic"]
)
EVENTS_PARKED = Counter("bina_events_parked_total", "Events parked", ["topic", "reason"])
EVENTS_EARLY = Counter(
    "bina_events_early_total", "Events kept until their subject is known", ["topic"]
)
PARKED = Gauge("bina_parked_events", "Events that are parked now")
PARKED_KEYS = Gauge("bina_parked_keys", "Keys that wait behind a parked event")
EARLY = Gauge("bina_early_events", "Early events that wait now")
EARLY_AGE = Gauge("bina_early_events_age_seconds", "Age of the oldest early event")
CONSUMER_LAG = Gauge("bina_consumer_lag_events", "Events not yet read", ["topic", "partition"])
EVENT_DELAY = Histogram(
    "bina_event_delay_seconds",
    "Delay from an event's time to its effect in this service",
    ["topic"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600),
)
BATCH = Histogram(
    "bina_consumer_batch_events",
    "Events per committed batch",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
BATCHES_AGAIN = Counter(
    "bina_consumer_batch_retries_total", "Batches that ran again after a conflict"
)
CONSUMER_PROGRESS = Gauge(
    "bina_consumer_progress_timestamp_seconds", "When the consumer loop last completed a turn"
)
# The label is `work` because Prometheus sets `job` itself.
JOB_RUNS = Counter("bina_job_runs_total", "Runs of leased jobs", ["work", "result"])
AUDIT_UNSEALED_AGE = Gauge(
    "bina_audit_unsealed_age_seconds", "Age of the oldest audit row not yet in a block"
)
TOPICS_CUT = Counter(
    "bina_topic_truncations_total",
    "Partitions that ended before our position and were read again from their beginning",
)
RECORDS_GONE = Counter(
    "bina_consumer_records_gone_total",
    "Offsets that the broker had no record for when this service came to read them",
)
INVARIANT_BROKEN = Gauge(
    "bina_invariant_broken",
    "Violations of an invariant at its last check, 0 = it holds",
    ["invariant"],
)
INVARIANTS_CHECKED = Gauge(
    "bina_invariants_checked_timestamp_seconds", "When this replica last checked the invariants"
)

AIOKAFKA_LINE_SECONDS = 10.0
OTLP_SECONDS = 5
_HIDDEN = frozenset({"name", "nik", "authorization", "token", "password", "secret", "body"})

# The last hexadecimal digit of a traceparent whose lowest bit, "sampled", is set.
_SAMPLED_DIGITS = tuple("13579bdf")

tracer = trace.get_tracer("bina")


def configure(service: str, level: str, *, stream: Any = None) -> None:
    """Configure logging to one JSON object per line on stdout, also for libraries."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _hide_values,
        _add_trace_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _replace_exception,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(_AiokafkaFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(numeric)
    for noisy in ("aiokafka", "pymongo", "uvicorn.access", "httptools"):
        logging.getLogger(noisy).setLevel(max(numeric, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service)


class _AiokafkaFilter(logging.Filter):
    """Passes each log statement of aiokafka at most once in ten seconds, as a warning.

    While a broker is away, aiokafka logs the same statement hundreds of times a second. It logs as
    errors what it repeats by itself; what it gives up raises an exception, which we log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may be written."""
        if not record.name.startswith("aiokafka"):
            return True
        source_line = record.name, record.lineno
        if record.created - self._logged_at.get(source_line, 0.0) < AIOKAFKA_LINE_SECONDS:
            return False
        self._logged_at[source_line] = record.created
        record.levelno = min(record.levelno, logging.WARNING)
        record.levelname = logging.getLevelName(record.levelno)
        return True


def log(name: str) -> Any:
    """Return a logger; keyword arguments become members of the line."""
    return structlog.stdlib.get_logger(name)


def _hide_values(_logger: object, _method: str, line: dict[str, Any]) -> Mapping[str, Any]:
    for name in _HIDDEN & line.keys():
        line[name] = "[hidden]"
    return line


def _replace_exception(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Replace an exception by the class names of its chain and the source lines of its stack.

    Messages and local variables are left out, because they may hold personal data.
    """
    error = _exception(line.pop("exc_info", None))
    if error is None:
        return line
    chain = _cause_chain(error)
    frames = [frame for link in chain for frame in traceback.extract_tb(link.__traceback__)]
    line["exception"] = [type(link).__name__ for link in chain]
    line["places"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return line


def _exception(exc_info: Any) -> BaseException | None:
    """Return the exception of `exc_info`: True (the current one), an exception, or a tuple."""
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    return exc_info[1] if exc_info else None


def _cause_chain(error: BaseException) -> list[BaseException]:
    """Return the exception and its causes, explicit (`raise ... from`) or implicit."""
    chain = [error]
    while True:
        last = chain[-1]
        cause = last.__cause__
        if cause is None and not last.__suppress_context__:
            cause = last.__context__
        if cause is None:
            return chain
        chain.append(cause)


def _add_trace_id(_logger: object, _method: str, line: dict[str, Any]) -> Mapping[str, Any]:
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        line["trace_id"] = f"{current.trace_id:032x}"
    return line


def trace_to(service: str, ratio: float, exporter: SpanExporter | None) -> None:
    """Send the spans of this process to the exporter; None only propagates trace contexts."""
    trace.set_tracer_provider(new_tracer_provider(service, ratio, exporter))


def new_tracer_provider(
    service: str, ratio: float, exporter: SpanExporter | None
) -> TracerProvider:
    """Return a provider that samples this ratio of root spans.

    A span with a parent follows the sampling decision of its parent.
    """
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"bina-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
    )
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def span(
    name: str,
    *,
    of: str | None = None,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    **attributes: str | int,
) -> AbstractContextManager[trace.Span]:
    """Return a context manager that runs its body in a new span.

    Its parent is the span in the traceparent `of` ("" = a new trace), or the current span for
    None. Exceptions are not recorded, because their messages may hold personal data.
    """
    context = None if of is None else context_of(of)
    return trace.use_span(
        tracer.start_span(name, context, kind, attributes),
        end_on_exit=True,
        record_exception=False,
        set_status_on_exception=False,
    )


def otlp(endpoint: str) -> SpanExporter | None:
    """Return an exporter to this OTLP collector over HTTP; None without an endpoint.

    An endpoint is for example `http://127.0.0.1:4318`.
    """
    if not endpoint:
        return None
    # Imported here because it loads protobuf and requests, which only a process that exports needs.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=OTLP_SECONDS)


def exemplar() -> dict[str, str] | None:
    """Return the exemplar that names the current trace; None if the trace is not sampled."""
    current = trace.get_current_span().get_span_context()
    return {"trace_id": f"{current.trace_id:032x}"} if current.trace_flags.sampled else None


def is_sampled(traceparent: str) -> bool:
    """Return whether the trace that this traceparent names is sampled.

    The text is parsed here for speed, because the consumer calls this for every event.
    """
    _, _, rest = traceparent.partition("-")
    trace_id, _, rest = rest.partition("-")
    has_trace_id = trace_id.strip("0") != ""
    return has_trace_id and rest[-1:] in _SAMPLED_DIGITS


def current_traceparent() -> str:
    """Return the W3C traceparent of the current span; empty outside one."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return ""
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"


def context_of(traceparent: str) -> context.Context:
    """Return the trace context that a traceparent header names."""
    return propagate.extract({"traceparent": traceparent} if traceparent else {})
