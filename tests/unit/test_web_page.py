"""docs/web.md: its code can be compiled, finds what it imports from here, and runs where FastAPI and Django are installed."""

import ast
import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import bananasd
from bananasd import handler
from bananasd.testing import inline
from tests.conftest import ASIDE
from tests.systemd.surroundings import require

UNKNOWN = "00000000-0000-0000-0000-000000000000"
ROOT = Path(__file__).parents[2]
FILES = {
    re.match(r"# (\S+)\n", code)[1]: code
    for code in re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "web.md").read_text(), re.MULTILINE | re.DOTALL
    )
}

PROGRAM = """
import os, sys
from pathlib import Path
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}}, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.core.management import call_command
from django.db import transaction
from django.test import RequestFactory
from bananasd import InvalidJob
from bananasd.testing import fake
from shop import jobs, outbox, views
from shop.models import Outbox
call_command("migrate", run_syncdb=True, verbosity=0)

def ask_for(name):
    return RequestFactory().post("/", {"name": name, "email": "ada@example.org"})

with fake([]) as queue:
    views.sign_up(ask_for("ada"))
    (welcome,) = queue.submitted("send_welcome_email")
    assert welcome.payload == {"user": 1}
    try:
        with transaction.atomic():
            views.sign_up(ask_for("eve"))
            Outbox.order("bill", {"for": "eve"})
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert len(queue.jobs) == 1 and not Outbox.objects.exists()

    try:
        Outbox.order("", None)
    except InvalidJob:
        assert not Outbox.objects.exists()
    ids = [Outbox.order("bill", {"number": number}) for number in range(260)]
    assert not queue.submitted("bill")
    real = Outbox.objects.filter
    def die(**_): raise KeyboardInterrupt
    Outbox.objects.filter = die
    try:
        outbox.send(jobs.client())
    except KeyboardInterrupt:
        pass
    Outbox.objects.filter = real
    assert len(queue.submitted("bill")) == 250 and Outbox.objects.count() == 260
    call_command("send_outbox")
    assert [job.id for job in queue.submitted("bill")] == ids and not Outbox.objects.exists()

for number in range(3):
    Outbox.order("bill", {"number": number})
with fake("handlers") as queue:
    queue.client.submit_job("send_outbox", None)
    job = queue.drain()[0]
    assert (job.name, job.result) == ("send_outbox", 3), job.error
    assert len(queue.submitted("bill")) == 3
"""


def test_its_files_are_those_that_it_speaks_of():
    assert set(FILES) == {
        "web.py", "shop/jobs.py", "shop/views.py", "shop/models.py", "shop/outbox.py", "handlers/outbox.py",
        "shop/management/commands/send_outbox.py",
    }  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_its_code_can_be_compiled_and_finds_what_it_imports_from_here(name):
    tree = ast.parse(FILES[name])
    compile(tree, name, "exec")
    imported = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "bananasd"
        for alias in node.names
    ]
    assert [name for name in imported if not hasattr(bananasd, name)] == []


@handler("report")
def report(job: Any) -> str:
    return f"a {job.payload['kind']} report"


async def asked(app: Any, state: dict[str, Any], method: str, path: str, query: str = "") -> tuple[int, Any]:
    """What the application answers: status and body."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "headers": [], "state": dict(state),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def test_the_fastapi_application_submits_and_looks_and_tells_of_an_outage(tmp_path, monkeypatch):
    async def use() -> None:
        with ExitStack() as without_server:
            without_server.enter_context(inline([report]))
            async with app.router.lifespan_context(app) as state:
                status, body = await asked(app, state, "POST", "/reports", "kind=short")
                assert status == 202
                found = await asked(app, state, "GET", f"/reports/{body['id']}")
                assert found == (200, {"status": "completed", "result": "a short report"})
                assert (await asked(app, state, "GET", f"/reports/{UNKNOWN}"))[0] == 404
                assert (await asked(app, state, "GET", "/reports/nonsense"))[0] == 422
                without_server.close()
                assert (await asked(app, state, "GET", f"/reports/{UNKNOWN}"))[0] == 503

    monkeypatch.setenv("BANANAS_REDIS_URL", f"unix://{tmp_path}/none.sock")
    (tmp_path / "web_of_a_test.py").write_text(FILES["web.py"])
    require((ASIDE / "fastapi").is_dir(), "FastAPI is not installed: see Makefile")
    monkeypatch.syspath_prepend(ASIDE)
    monkeypatch.syspath_prepend(tmp_path)
    import web_of_a_test

    app = web_of_a_test.app
    asyncio.run(use())


@pytest.mark.skipif(not importlib.util.find_spec("django"), reason="Django is not installed")
def test_what_a_django_application_orders_is_submitted_once_if_its_transaction_commits(tmp_path):
    for name, code in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    for package in ("shop", "shop/management", "shop/management/commands"):
        (tmp_path / package / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
