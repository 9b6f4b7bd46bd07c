"""docs/hooks.md and the examples that it leads to: they are run, by real daemons."""

import ast
import gzip
import inspect
import json
import os
import re
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bananasd import Status
from bananasd.hooks import PARAMETERS
from tests.conftest import ASIDE, wait_until
from tests.systemd.surroundings import require

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODE = re.findall(r"^```python\n(.*?)^```$", (DOCS / "hooks.md").read_text(), re.MULTILINE | re.DOTALL)
NO_RETRY = {"workers": {"count": 1}, "retry": {"max_retries": 0}}
HANDLERS = """
    import logging

    @handler("greet")
    def greet(job):
        logging.getLogger("mine").info("greeting %s", job.payload)
        return "hello"

    @handler("fail")
    def fail(job):
        logging.getLogger("mine").info("asking the bank")
        raise ValueError("no such account")

    @handler("later", max_retries=1)
    def later(job):
        if job.attempt == 1:
            raise RetryLater(0)

    @handler("chain")
    async def chain(job):
        import tracing
        return greet.submit(None, headers=tracing.headers())
"""


def block(start):
    """The code of the page that begins so."""
    (found,) = (code for code in CODE if code.startswith(start))
    return found


def test_the_page_shows_every_hook_with_what_it_is_called_with():
    names = {}
    exec(block("# handlers/hooks.py"), names)
    shown = {name: tuple(inspect.signature(names[name]).parameters) for name in PARAMETERS if name in names}
    assert shown == PARAMETERS


@pytest.mark.parametrize("path", sorted(DOCS.glob("examples/hooks_*.py")), ids=lambda path: path.name)
def test_an_example_defines_hooks_and_nothing_that_looks_like_one(path):
    functions = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert functions and set(functions) <= set(PARAMETERS)


@pytest.fixture
def start(make_daemon):
    """A daemon with one of the examples for its hooks."""

    def start(example, **environ):
        daemon = make_daemon(HANDLERS, settings=NO_RETRY, environ=environ)
        # The second is not for a machine that holds up whoever is told.
        source = (DOCS / "examples" / example).read_text().replace("flush(timeout=1)", "flush(timeout=5)")
        (daemon.directory / "handlers" / "hooks.py").write_text(source)
        return daemon.start()

    return start


def ran(daemon, name, payload=None, **options):
    with daemon.client() as client:
        return client.wait(client.submit_job(name, payload, **options), 15)


# OpenTelemetry. The exporter is replaced by one that writes into a file; all else is its SDK.

EXPORTER = """
    import os
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class OTLPSpanExporter(SpanExporter):
        def export(self, spans):
            with open(os.environ["SPANS"], "a") as file:
                file.writelines(span.to_json(indent=None) + "\\n" for span in spans)
            return SpanExportResult.SUCCESS
"""


@pytest.fixture
def traced_daemon(start, tmp_path):
    require((ASIDE / "opentelemetry" / "sdk").is_dir(), "OpenTelemetry's SDK is not installed: see Makefile")
    package = tmp_path / "opentelemetry" / "exporter" / "otlp" / "proto" / "http" / "trace_exporter"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(EXPORTER))
    (tmp_path / "tracing.py").write_text(block("# tracing.py"))
    path = os.pathsep.join([str(tmp_path), str(ASIDE)])
    return start("hooks_opentelemetry.py", PYTHONPATH=path, SPANS=str(tmp_path / "spans"))


def spans_of(daemon, tmp_path):
    """What it has exported, by the name of the span; after its end."""
    assert daemon.stop() == 0
    spans = [json.loads(line) for line in (tmp_path / "spans").read_text().splitlines()]
    return {span["name"]: span for span in spans}


def test_a_run_is_a_span_of_the_trace_that_submitted_the_job_and_so_is_what_it_submits(
    traced_daemon, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(ASIDE))
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory, provider, names = InMemorySpanExporter(), TracerProvider(), {}
    provider.add_span_processor(SimpleSpanProcessor(memory))
    exec(block("# tracing.py"), names)
    with provider.get_tracer("test").start_as_current_span("request"):
        chained = ran(traced_daemon, "chain", headers=names["headers"]()).result
    with traced_daemon.client() as client:
        assert client.wait(chained, 15).result == "hello"
    spans = spans_of(traced_daemon, tmp_path)
    (request,) = memory.get_finished_spans()
    trace_id, span_id = f"0x{request.context.trace_id:032x}", f"0x{request.context.span_id:016x}"
    outer, inner = spans["run chain"], spans["run greet"]
    assert outer["context"]["trace_id"] == inner["context"]["trace_id"] == trace_id
    assert (outer["parent_id"], inner["parent_id"]) == (span_id, outer["context"]["span_id"])
    assert outer["kind"] == "SpanKind.CONSUMER"
    assert outer["status"]["status_code"] == "UNSET"
    assert outer["attributes"]["bananasd.outcome"] == "completed"
    assert inner["attributes"]["messaging.message.id"] == chained


def test_a_failed_run_is_a_span_with_its_error_and_a_trace_of_its_own_if_none_was_sent(
    traced_daemon, tmp_path
):
    assert ran(traced_daemon, "fail").status is Status.FAILED
    assert ran(traced_daemon, "greet").status is Status.COMPLETED
    spans = spans_of(traced_daemon, tmp_path)
    failed = spans["run fail"]
    assert (failed["parent_id"], failed["status"]) == (
        None,
        {"status_code": "ERROR", "description": "ValueError"},
    )
    (event,) = failed["events"]
    assert event["attributes"]["exception.message"] == "no such account"
    assert "tested.py" in event["attributes"]["exception.stacktrace"]
    assert failed["context"]["trace_id"] != spans["run greet"]["context"]["trace_id"]


# Sentry: a server that keeps what its SDK sends.


class Kept(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.kept += [
            json.loads(payload)
            for head, payload in zip(*[iter(body.splitlines()[1:])] * 2, strict=False)
            if json.loads(head)["type"] == "event"
        ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def sentry():
    with ThreadingHTTPServer(("127.0.0.1", 0), Kept) as server:
        server.kept = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_sentry_is_told_of_failures_with_their_job_and_of_nothing_else(start, sentry):
    daemon = start("hooks_sentry.py", SENTRY_DSN=f"http://key@127.0.0.1:{sentry.server_port}/1")
    greeted = ran(daemon, "greet", "Ada")
    assert ran(daemon, "later").status is Status.COMPLETED
    failed = ran(daemon, "fail")
    assert ran(daemon, "missing").status is Status.FAILED
    assert daemon.stop() == 0
    wait_until(lambda: len(sentry.kept) == 4)
    error, dead, missing, missing_dead = sentry.kept
    assert error["exception"]["values"][0]["value"] == "no such account"
    assert error["contexts"]["job"] == {"id": failed.id, "queue": "default", "attempt": 1}
    assert (error["transaction"], error["tags"]["job"], error["tags"]["worker"]) == (
        "fail",
        "fail",
        "worker 0",
    )
    assert "asking the bank" in [crumb["message"] for crumb in error["breadcrumbs"]["values"]]
    assert greeted.id not in json.dumps(error), "each job has a scope of its own"
    assert (dead["message"], dead["level"], dead["contexts"]["job"]["id"]) == (
        "job dead: fail",
        "fatal",
        failed.id,
    )
    assert missing["exception"]["values"][0]["type"] == "LookupError"
    assert missing_dead["message"] == "job dead: missing"
