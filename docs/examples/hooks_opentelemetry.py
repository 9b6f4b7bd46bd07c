"""OpenTelemetry: copy this to handlers/hooks.py (`pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http`).

Each run of a job is a span, in the trace of whoever has submitted the job with that trace's headers.
"""

from contextlib import ExitStack

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from bananasd import Job
from bananasd.hooks import JobEnd, WorkerInfo

_provider = TracerProvider(resource=Resource.create({"service.name": "jobs"}))
_run = ExitStack()
"""What begins with a job and ends with it: a worker runs one at a time."""


def on_worker_start(worker: WorkerInfo) -> None:
    # Here, not above: its thread would not come along into a worker that is forked from a daemon with preload = true.
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(_provider)


def before_job(job: Job) -> None:
    span = trace.get_tracer("bananasd").start_span(
        f"run {job.name}",
        propagate.extract(job.headers),
        SpanKind.CONSUMER,
        {
            "messaging.system": "bananasd",
            "messaging.destination.name": job.queue,
            "messaging.message.id": job.id,
            "bananasd.attempt": job.attempt,
        },
    )
    _run.enter_context(trace.use_span(span, end_on_exit=True))


def after_job(job: Job, end: JobEnd) -> None:
    span = trace.get_current_span()
    span.set_attribute("bananasd.outcome", end.outcome)
    if end.error is not None:
        span.record_exception(end.error)
        span.set_status(StatusCode.ERROR, type(end.error).__name__)
    _run.close()


def on_worker_stop(worker: WorkerInfo) -> None:
    _provider.force_flush(timeout_millis=1000)
