"""Logs, metrics and traces. Not here: what is worth an alert (deploy/monitoring).

Metric names are `bina_<noun>_<unit>` for what the chassis counts; which labels there may be, and why none of them tells of a person, says docs/monitoring.md.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from random import getrandbits, random
from typing import Any

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "bina_http_request_seconds",
    "Answers by route template",
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
    "Keys of which the broker refused a row, so that nothing of them is sent",
)
RELAY_FAILURES = Counter(
    "bina_relay_failures_total", "Sends that failed, after which the producer was made anew"
)
RELAY_LEADER = Gauge("bina_relay_leader", "1 while this replica sends the outbox")
EVENTS_APPLIED = Counter("bina_events_applied_total", "Events that took effect", ["type"])
EVENTS_REPEATED = Counter(
    "bina_events_duplicate_total", "Events dropped because they had taken effect before", ["topic"]
)
EVENTS_IGNORED = Counter(
    "bina_events_ignored_total", "Events of a type that nobody here reads", ["topic"]
)
EVENTS_PARKED = Counter("bina_events_parked_total", "Events parked", ["topic", "reason"])
EVENTS_EARLY = Counter(
    "bina_events_early_total", "Events kept until what they speak of is known", ["topic"]
)
PARKED = Gauge("bina_parked_events", "Events that are parked now")
PARKED_KEYS = Gauge("bina_parked_keys", "Keys that wait behind a parked event")
EARLY = Gauge("bina_early_events", "Early facts that wait now")
EARLY_AGE = Gauge("bina_early_events_age_seconds", "Age of the oldest early fact")
CONSUMER_LAG = Gauge("bina_consumer_lag_events", "Events not yet read", ["topic", "partition"])
EVENT_DELAY = Histogram(
    "bina_event_delay_seconds",
    "From an event's time to its effect here",
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
    "bina_consumer_progress_timestamp_seconds", "When the consumer loop last came round"
)
JOB_RUNS = Counter(
    "bina_job_runs_total", "Runs of leased jobs", ["work", "result"]
)  # `job` is the scraper's
AUDIT_UNSEALED_AGE = Gauge(
    "bina_audit_unsealed_age_seconds", "Age of the oldest audit row not yet in a block"
)
TOPICS_CUT = Counter(
    "bina_topic_truncations_total",
    "Times that a partition ended before our position in it, so that it was read from its beginning",
)
INVARIANT_BROKEN = Gauge(
    "bina_invariant_broken",
    "Findings of an invariant at its last look, 0 = it holds",
    ["invariant"],
)
INVARIANTS_CHECKED = Gauge(
    "bina_invariants_checked_timestamp_seconds", "When this replica last looked at the invariants"
)

SELDOM_SECONDS, OTLP_SECONDS = 10.0, 5
_ODD = frozenset("13579bdf")  # the last bit of a traceparent: sampled
_HIDDEN = frozenset({"name", "nik", "authorization", "token", "password", "secret", "body"})


class _Tracer:
    """The SDK's, asked only about the `share` of new traces that somebody will see: it takes long to say no."""

    share = 1.0

    def __init__(self) -> None:
        self._sdk = trace.get_tracer("bina")

    def start_span(
        self, name: str, parent: context.Context | None, *told: Any, **how: bool
    ) -> trace.Span:
        """A span of the parent's trace, or of a new one."""
        if (
            random() >= self.share  # noqa: S311 - no secret
            and not trace.get_current_span(parent).get_span_context().is_valid
        ):
            return trace.NonRecordingSpan(
                trace.SpanContext(getrandbits(128), getrandbits(64), is_remote=False)
            )
        return self._sdk.start_span(name, parent, *told, **how)


tracer = _Tracer()


def configure(service: str, level: str, *, stream: Any = None) -> None:
    """One JSON object per line on stdout, for this service and for the libraries it uses."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _hide,
        _with_trace,
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
                _places,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(numeric)
    for noisy in ("aiokafka", "pymongo", "uvicorn.access", "httptools"):
        logging.getLogger(noisy).setLevel(max(numeric, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service)


class _Seldom(logging.Filter):
    """Lets a line of aiokafka pass every ten seconds: it says hundreds of times a second that a broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it has not been said of late."""
        if not record.name.startswith("aiokafka"):
            return True
        place = record.name, record.lineno
        if record.created - self._said.get(place, 0.0) < SELDOM_SECONDS:
            return False
        self._said[place] = record.created
        return True


def log(name: str) -> Any:
    """A logger; key words become members of the line."""
    return structlog.stdlib.get_logger(name)


def _hide(_logger: object, _method: str, line: dict[str, Any]) -> Mapping[str, Any]:
    for name in _HIDDEN & line.keys():
        line[name] = "[hidden]"
    return line


def _places(_logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """An exception as its kinds and places: what it says, and the variables around it, may be about a person."""
    told: Any = line.pop("exc_info", None)
    error: BaseException | None = (
        sys.exc_info()[1]
        if told is True
        else told
        if isinstance(told, BaseException)
        else told[1]
        if told
        else None
    )
    if error is not None:
        chain = [error]
        while cause := chain[-1].__cause__ or (
            None if chain[-1].__suppress_context__ else chain[-1].__context__
        ):
            chain.append(cause)
        line["exception"] = [type(one).__name__ for one in chain]
        line["places"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for one in chain
            for frame in traceback.extract_tb(one.__traceback__)
        ]
    return line


def _with_trace(_logger: object, _method: str, line: dict[str, Any]) -> Mapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        line["trace_id"] = f"{span.trace_id:032x}"
    return line


def trace_to(service: str, ratio: float, exporter: SpanExporter | None) -> None:
    """Sample this share of traces and send them to the exporter (none = spans are only passed on)."""
    tracer.share = ratio
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"bina-{service}"}),
        sampler=ParentBased(ALWAYS_ON),
    )
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@contextmanager
def span(
    name: str,
    *,
    of: str | None = None,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    **attributes: str | int,
) -> Generator[trace.Span]:
    """A span within the one we are in, or of the trace that the traceparent `of` names. What an exception says stays out of it: it may be about a person."""
    parent = None if of is None else context_of(of)
    made = tracer.start_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    )
    before = context.attach(
        trace.set_span_in_context(made)
    )  # by hand: the library's own context managers take as long as all else that the gateway does before it forwards
    try:
        yield made
    finally:
        context.detach(before)
        made.end()


def otlp(endpoint: str) -> SpanExporter | None:
    """Sends spans to this OTLP collector over HTTP, e.g. `http://127.0.0.1:4318`; None without one."""
    if not endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - protobuf and requests, for those alone who send

    return OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=OTLP_SECONDS)


def exemplar() -> dict[str, str] | None:
    """The trace that an observation of a histogram belongs to, when somebody can see it."""
    span = trace.get_current_span().get_span_context()
    return {"trace_id": f"{span.trace_id:032x}"} if span.trace_flags.sampled else None


def is_sampled(traceparent: str) -> bool:
    """Whether somebody wants to see the trace that this traceparent names."""
    return traceparent[-1:] in _ODD and traceparent[3:35].strip("0") != ""


def current_traceparent() -> str:
    """The W3C traceparent of the span we are in; empty outside one."""
    told = trace.get_current_span().get_span_context()
    return (
        f"00-{told.trace_id:032x}-{told.span_id:016x}-{told.trace_flags:02x}"
        if told.is_valid
        else ""
    )


def context_of(traceparent: str) -> context.Context:
    """The trace context that a traceparent header names."""
    return propagate.extract({"traceparent": traceparent} if traceparent else {})
