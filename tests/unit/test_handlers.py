"""Declaring handlers, and loading a directory of them."""

import asyncio
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bananasd.payloads  # noqa: F401 - a load imports it; tests look at what else a load leaves behind
from bananasd import Job, Priority, handler
from bananasd.errors import HandlersError
from bananasd.handlers import Registry, _forget_loaded, load_directory, schedule_of, submit_through
from bananasd.retry import Delays, RetryPolicy

JOB = Job("0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55", {"name": "echo", "payload": "hello"}, "default:normal")


class Directory:
    """A handlers directory that a test fills."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **modules: str) -> None:
        """One file a module; the text of each may use handler, Job and GiveUp."""
        for name, text in modules.items():
            self.write_raw(name, "from bananasd import GiveUp, Job, Retry, handler\n" + text)

    def write_raw(self, name: str, text: str) -> None:
        (self.path / f"{name}.py").write_text(text)

    def load(self) -> Registry:
        return load_directory(self.path)

    def problems(self) -> list[str]:
        """What loading it complains of, without the directory's name."""
        with pytest.raises(HandlersError) as caught:
            self.load()
        return [problem.replace(f"{self.path}/", "") for problem in caught.value.problems]

    def result_of(self, name: str) -> Any:
        spec = self.load().get(name)
        assert spec is not None
        return spec.function(JOB)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    modules, path = dict(sys.modules), list(sys.path)
    _forget_loaded()  # what another test may have loaded
    yield Directory(tmp_path)
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = path


# --- declaring


def test_a_declared_function_is_still_that_function() -> None:
    def echo(job: Job) -> object:
        return job.payload

    assert handler("echo")(echo) is echo
    assert echo(JOB) == "hello"


def test_a_spec_tells_what_was_declared_and_where() -> None:
    @handler("echo", max_retries=3, timeout_seconds=1.5)
    def echo(job: Job) -> None: ...

    spec = echo.spec
    assert (spec.name, spec.function, spec.max_retries, spec.timeout_seconds) == ("echo", echo, 3, 1.5)
    assert (spec.file, spec.line) == (__file__, echo.__code__.co_firstlineno)
    assert not spec.is_async


def test_a_spec_says_which_failures_may_pass_and_after_how_long() -> None:
    @handler("echo", retry=[1, 5], retry_on=LookupError, dead_on=(KeyError,))
    def echo(job: Job) -> None: ...

    spec = echo.spec
    assert spec.policy == RetryPolicy(None, Delays((1, 5)))
    kinds = (IndexError, KeyError, OSError)
    assert [spec.is_worth_a_retry(kind()) for kind in kinds] == [True, False, False]


def test_without_a_word_every_failure_may_pass_and_the_configuration_says_when() -> None:
    @handler("echo", dead_on=KeyError)
    def echo(job: Job) -> None: ...

    assert echo.spec.policy == RetryPolicy()
    kinds = (OSError, KeyError, SystemExit)
    assert [echo.spec.is_worth_a_retry(kind()) for kind in kinds] == [True, False, True]


def test_which_failures_may_pass_is_asked_without_running_code_of_theirs() -> None:
    class Odd(type):
        def __instancecheck__(cls, _: object) -> bool:
            raise RuntimeError

    class Error(Exception, metaclass=Odd): ...

    @handler("echo", retry_on=Error)
    def echo(job: Job) -> None: ...

    assert [echo.spec.is_worth_a_retry(error) for error in (Error(), ValueError())] == [True, False]


def test_an_async_function_is_known_as_such() -> None:
    class Echo:
        async def __call__(self, job: Job) -> object:
            return job.payload

    @handler("echo")
    async def echo(job: Job) -> object:
        return job.payload

    assert asyncio.run(echo(JOB)) == "hello"
    assert echo.spec.is_async
    assert handler("echo")(Echo()).spec.is_async


def test_a_wrapped_function_is_placed_where_it_is_written() -> None:
    def echo(job: Job) -> None: ...

    wrapped = functools.wraps(echo)(functools.partial(echo))
    assert handler("echo")(wrapped).spec.line == echo.__code__.co_firstlineno


def test_a_decorator_without_a_name_says_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r'write @handler\("send_mail"\)'):
        handler(lambda job: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("thing", [len, "text".join, 5])
def test_what_cannot_be_marked_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="wrap it in a function"):
        handler("echo")(thing)


# --- submitting


class Submissions:
    """A client that writes down what is submitted."""

    def __init__(self) -> None:
        self.made = 0
        self.calls: list[tuple[Any, ...]] = []

    def make(self) -> Any:
        self.made += 1
        return self

    def submit_job(self, *arguments: Any, **options: Any) -> str:
        self.calls.append((*arguments, options))
        return f"id {len(self.calls)}"


@pytest.fixture
def submissions(monkeypatch: pytest.MonkeyPatch) -> Submissions:
    from bananasd import declaration

    monkeypatch.setattr(declaration, "_shared_client", declaration._SharedClient())
    submissions = Submissions()
    submit_through(submissions.make)
    return submissions


def test_submit_passes_everything_on_under_the_handlers_name(submissions: Submissions) -> None:
    @handler("echo")
    def echo(job: Job) -> None: ...

    assert echo.submit({"a": 1}) == "id 1"
    assert echo.submit(2, Priority.HIGH, "two", queue="gpu", max_retries=0) == "id 2"
    assert submissions.calls == [
        ("echo", {"a": 1}, Priority.NORMAL, "", {}),
        ("echo", 2, Priority.HIGH, "two", {"queue": "gpu", "max_retries": 0}),
    ]


def test_all_handlers_share_one_client_made_at_the_first_submit(submissions: Submissions) -> None:
    @handler("one")
    def one(job: Job) -> None: ...

    @handler("two")
    def two(job: Job) -> None: ...

    assert submissions.made == 0
    one.submit(None)
    two.submit(None)
    assert submissions.made == 1


def test_submit_without_a_worker_goes_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    from bananasd import Client, declaration

    monkeypatch.setattr(declaration, "_shared_client", declaration._SharedClient())
    monkeypatch.setenv("BANANAS_REDIS_URL", server.url)

    @handler("echo")
    def echo(job: Job) -> None: ...

    with Client(server.url) as client:
        job = client.get_job(echo.submit("hello", Priority.LOW))
    assert (job.name, job.payload, job.priority) == ("echo", "hello", Priority.LOW)


# --- loading


def test_a_directory_is_loaded_in_the_order_of_its_files(directory: Directory) -> None:
    directory.write(
        b='@handler("third")\ndef third(job): return 3',
        a='@handler("first")\ndef first(job): return 1\n@handler("second")\ndef second(job): return 2',
    )
    registry = directory.load()
    assert [spec.name for spec in registry] == ["first", "second", "third"]
    assert registry.names() == ["first", "second", "third"]
    assert len(registry) == 3


def test_a_name_that_no_handler_has_is_not_found(directory: Directory) -> None:
    directory.write(a='@handler("echo")\ndef echo(job): pass')
    assert directory.load().get("other") is None


def test_modules_are_imported_under_a_private_name(directory: Directory) -> None:
    directory.write(json='@handler("echo")\ndef echo(job): return __name__')
    standard_json = sys.modules["json"]
    assert directory.result_of("echo") == "bananasd_handlers.json"
    assert sys.modules["json"] is standard_json


def test_names_with_an_underscore_are_left_for_others_to_import(directory: Directory) -> None:
    directory.write_raw("_shared", "GREETING = 'hello'")
    directory.write(a='from _shared import GREETING\n@handler("greet")\ndef greet(job): return GREETING')
    assert directory.result_of("greet") == "hello"


def test_files_that_are_no_modules_are_left_alone(directory: Directory) -> None:
    directory.write(a='@handler("echo")\ndef echo(job): pass')
    directory.write_raw(".hidden", "1 / 0")
    (directory.path / "notes.txt").write_text("1 / 0")
    (directory.path / "folder.py").mkdir()
    assert directory.load().names() == ["echo"]


def test_modules_may_import_each_other_from_their_package(directory: Directory) -> None:
    directory.write(
        a='from . import b\n@handler("one")\ndef one(job): return b.two is two()\n'
        'def two():\n  import sys\n  return sys.modules["bananasd_handlers.b"].two',
        b='@handler("two")\ndef two(job): pass',
    )
    assert directory.result_of("one") is True


def test_a_plain_import_of_another_handlers_module_declares_nothing_twice(directory: Directory) -> None:
    directory.write(
        mail='@handler("send")\ndef send(job): pass',
        signup='from mail import send\n@handler("signup")\ndef signup(job): return send.spec.name',
    )
    assert directory.load().names() == ["send", "signup"]
    assert directory.result_of("signup") == "send"


def test_handlers_from_elsewhere_count_where_they_are_imported(
    directory: Directory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "company_jobs.py").write_text(
        'from bananasd import handler\n@handler("resize")\ndef resize(job): pass\n'
        '@handler("crop")\ndef crop(job): pass'
    )
    sys.path.insert(0, str(elsewhere))
    directory.write(a="from company_jobs import resize", b="from company_jobs import resize")
    assert directory.load().names() == ["resize"]
    assert directory.load().names() == ["resize"]


def test_anything_that_takes_a_job_can_be_a_handler(directory: Directory) -> None:
    directory.write(
        a="import functools\n"
        'handler("lambda")(lambda job: 1)\n'
        'for size in (1, 2): handler(f"size {size}")(functools.partial(lambda size, job: size, size))\n'
        '@handler("class")\nclass Made:\n  def __init__(self, job): pass\n'
        'class Mail:\n  @handler("static")\n  @staticmethod\n  def send(job): pass\n'
        'handler("made")(type("T", (), {"__call__": lambda self, job: 1})())\n'
    )
    names = ["class", "lambda", "made", "size 1", "size 2", "static"]
    assert directory.load().names() == names
    assert directory.result_of("size 2") == 2


def test_one_function_may_have_two_names(directory: Directory) -> None:
    directory.write(a='@handler("new")\n@handler("old")\ndef both(job): return 1')
    assert directory.load().names() == ["new", "old"]


def test_a_decorator_that_brings_its_own_argument_is_no_fault(directory: Directory) -> None:
    directory.write(
        a="import functools\n"
        "def with_database(f):\n  @functools.wraps(f)\n  def g(job): return f(job, 'db')\n  return g\n"
        '@handler("query")\n@with_database\ndef query(job, db): return db'
    )
    assert directory.result_of("query") == "db"


# --- loading again


def test_a_second_load_runs_the_code_as_it_is_then(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    directory.write(a='@handler("echo")\ndef echo(job): return 1')
    assert directory.result_of("echo") == 1
    # As long as before and within the same second: what a cache of compiled files cannot tell apart.
    directory.write(a='@handler("echo")\ndef echo(job): return 2')
    assert directory.result_of("echo") == 2


def test_a_second_load_runs_the_helpers_as_they_are_then(directory: Directory) -> None:
    directory.write(a='from _shared import text\n@handler("text")\ndef f(job): return text')
    directory.write_raw("_shared", "text = 'first'")
    assert directory.result_of("text") == "first"
    directory.write_raw("_shared", "text = 'the second'")
    assert directory.result_of("text") == "the second"


def test_a_second_load_forgets_what_is_gone(directory: Directory) -> None:
    directory.write(a='@handler("a")\ndef a(job): pass', b='@handler("b")\ndef b(job): pass')
    directory.load()
    (directory.path / "a.py").unlink()
    assert directory.load().names() == ["b"]
    assert "bananasd_handlers.a" not in sys.modules


def test_loading_another_directory_leaves_nothing_of_the_first(directory: Directory, tmp_path: Path) -> None:
    first, second = Directory(tmp_path / "first"), Directory(tmp_path / "second")
    for each in (first, second):
        each.path.mkdir()
        each.write_raw("_where", f"place = {each.path.name!r}")
        each.write(a='import _where\n@handler("where")\ndef where(job): return _where.place')
    assert [first.result_of("where"), second.result_of("where")] == ["first", "second"]
    assert sys.path.count(str(second.path)) == 1
    assert str(first.path) not in sys.path


def test_loading_again_leaves_everything_else_imported(directory: Directory) -> None:
    directory.write(a='import colorsys\n@handler("echo")\ndef echo(job): pass')
    directory.load()
    before = {
        name: module for name, module in sys.modules.items() if not name.startswith("bananasd_handlers")
    }
    directory.load()
    assert before == {name: sys.modules.get(name) for name in before}


def test_a_failed_load_leaves_nothing_behind(directory: Directory) -> None:
    modules, path = set(sys.modules), list(sys.path)
    directory.write(a='@handler("echo")\ndef echo(job): pass', b="raise ValueError")
    directory.problems()
    assert (set(sys.modules), sys.path) == (modules, path)


# --- what can be wrong


def test_a_missing_directory_is_reported(directory: Directory) -> None:
    directory.path /= "nowhere"
    assert directory.problems() == [
        f"workers.handlers: {directory.path}: not a directory of handlers (No such file or directory)"
    ]


def test_a_file_in_the_place_of_the_directory_is_reported(directory: Directory) -> None:
    directory.path /= "handlers.py"
    directory.path.touch()
    assert directory.problems() == [
        f"workers.handlers: {directory.path}: not a directory of handlers (Not a directory)"
    ]


def test_an_empty_directory_is_reported(directory: Directory) -> None:
    [problem] = directory.problems()
    assert problem.startswith(f"workers.handlers: {directory.path}: no handler in it")


def test_modules_without_a_handler_are_reported_as_an_empty_directory_is(directory: Directory) -> None:
    directory.write(a="def echo(job): pass")
    [problem] = directory.problems()
    assert problem.startswith(f"workers.handlers: {directory.path}: no handler in it")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def f(:\n", "a.py:1: SyntaxError: invalid syntax"),
        ("x = 1\nif x:\ny = 2\n", "a.py:3: IndentationError: expected an indented block after 'if' statement on line 2"),
        ("\n\nimport no_such_module_anywhere\n", "a.py:3: ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("import json\n\njson.loads('{')\n", "a.py:3: JSONDecodeError: Expecting property name enclosed"),
        ("import ast\nast.literal_eval('(')\n", "a.py:2: SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit('not today')\n", "a.py:2: sys.exit('not today') while it is imported"),
        ("exit(0)\n", "a.py:1: sys.exit(0) while it is imported"),
        ("\nraise BaseException\n", "a.py:2: BaseException"),
        ("import asyncio\nraise asyncio.CancelledError('why')\n", "a.py:2: CancelledError: why"),
        ("import pytest\n\npytest.skip('not now', allow_module_level=True)\n", "a.py:3: Skipped: not now"),
        ("class E(Exception):\n  __str__ = None\nraise E\n", "a.py:3: E: its text cannot be shown (TypeError)"),
        ("raise ValueError('two\\nlines')\n", "a.py:1: ValueError: two lines"),
        ("def f():\n  f()\nf()\n", "a.py:2: RecursionError: maximum recursion depth exceeded"),
        ("\0", "a.py:1: "),
        ("# coding: no-such-coding\n", "a.py:1: SyntaxError: unknown encoding: no-such-coding"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_imported_is_reported_with_its_line(
    directory: Directory, text: str, problem: str
) -> None:
    directory.write_raw("a", text)
    [told] = directory.problems()
    assert told.startswith(problem)


def test_a_fault_in_a_helper_is_reported_where_it_stands(directory: Directory) -> None:
    directory.write_raw("a", "import _broken")
    directory.write_raw("_broken", "x = 1\n1 / 0")
    directory.write_raw("b", "import _misspelt")
    directory.write_raw("_misspelt", "\n\nx = = 1")
    assert directory.problems() == [
        "_broken.py:2: ZeroDivisionError: division by zero",
        "_misspelt.py:3: SyntaxError: invalid syntax",
    ]


def test_a_name_that_two_modules_declare_is_reported_with_both_places(directory: Directory) -> None:
    directory.write(a='\n@handler("send")\ndef send(job): pass', b='@handler("send")\ndef send(job): pass')
    assert directory.problems() == ["b.py:2: handler 'send' is declared twice, first at a.py:3"]


def test_a_name_that_one_module_declares_twice_is_reported(directory: Directory) -> None:
    directory.write(a='for _ in "ab": handler("send")(lambda job: 1)')
    assert directory.problems() == ["a.py:2: handler 'send' is declared twice, first at a.py:2"]


@pytest.mark.parametrize(
    ("declaration", "fault"),
    [
        ('@handler("")', "@handler: name '': want 1 to 200 characters"),
        ('@handler("a\\nb")', "@handler: name 'a\\nb': want 1 to 200 characters"),
        ("@handler(None)", "@handler: name None: want 1 to 200 characters"),
        ("@handler(['x'])", "@handler: name ['x']: want 1 to 200 characters"),
        ('@handler("x" * 201)', "@handler: name 'xxx"),
        ('@handler("x", max_retries=-1)', "@handler: max_retries -1: want"),
        ('@handler("x", max_retries="3")', "@handler: max_retries '3': want"),
        ('@handler("x", timeout_seconds=-0.1)', "@handler: timeout_seconds -0.1: want"),
        ('@handler("x", timeout_seconds=float("nan"))', "@handler: timeout_seconds nan: want"),
        ('@handler("x", retry=[])', "@handler: retry []: want 1 to 1,000 delays; max_retries=0: no retries"),
        ('@handler("x", retry=[1, -1])', "@handler: retry, delay -1: want seconds"),
        ('@handler("x", retry=5)', "@handler: retry 5: want Retry(…) or a list of delays in seconds"),
        ('@handler("x", retry={"base": 5})', "@handler: retry {'base': 5}: want Retry(…) or a list"),
        ('@handler("x", retry=Retry(-1))', "@handler: retry, base_seconds -1: want seconds"),
        ('@handler("x", retry=Retry(cap_seconds="1"))', "@handler: retry, cap_seconds '1': want seconds"),
        (
            '@handler("x", retry=Retry(5, cap_seconds=1))',
            "@handler: retry, cap_seconds 1: must not be below base_seconds (5), the first delay",
        ),
        (
            '@handler("x", retry=Retry(factor=0.5))',
            "@handler: retry, factor 0.5: want a number from 1 to 1,000",
        ),
        ('@handler("x", retry=Retry(jitter=2))', "@handler: retry, jitter 2: want a number from 0 to 1"),
        (
            '@handler("x", retry_on="OSError")',
            "@handler: retry_on 'OSError': want an exception class, or a tuple",
        ),
        (
            '@handler("x", dead_on=(OSError, int))',
            "@handler: dead_on (<class 'OSError'>, <class 'int'>): want an",
        ),
        (
            '@handler("x", retry_on=OSError, dead_on=(KeyError, OSError))',
            "@handler: OSError: stands in retry_on and in dead_on",
        ),
        (
            '@handler("x", dead_on=[OSError])',
            "@handler: dead_on [<class 'OSError'>]: want an exception class",
        ),
        (
            '@handler("x", on_lost="die")',
            '@handler: on_lost \'die\': want "retry", or "dead" for what must not run',
        ),
        ("@handler", 'TypeError: @handler needs the name of the jobs: write @handler("send_mail")'),
        ('@handler("x", retries=3)', "TypeError: handler() got an unexpected keyword argument 'retries'"),
    ],
)
def test_a_declaration_that_cannot_be_is_reported_with_its_line(
    directory: Directory, declaration: str, fault: str
) -> None:
    directory.write(a=f"{declaration}\ndef f(job): pass")
    [problem] = directory.problems()
    assert problem.startswith(f"a.py:2: {fault}")


@pytest.mark.parametrize("parameters", ["", "*, job", "job, *, more", "job, more: int, most: int"])
def test_a_handler_that_cannot_be_called_with_a_job_is_reported(
    directory: Directory, parameters: str
) -> None:
    directory.write(a=f'@handler("x")\ndef f({parameters}): pass')
    [problem] = directory.problems()
    assert problem == (
        "a.py:2: handler 'x' cannot be called: it must take the job, "
        "and may take the payload as a second argument that has a type"
    )


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ("job, order", "'order' is the payload's and needs a type, as in order: dict[str, str]"),
        ("job, order: 'Order'", "'order' is the payload's, whose type cannot be used: NameError: name 'Order' is not"),
        ("job, order: 5", "'order' is the payload's, whose type cannot be used: TypeError: "),
        ("job, order: Job", "'order' is the payload's, whose type holds what JSON cannot be made into: Job"),
        ("job, order: list[Job]", "'order' is the payload's, whose type holds what JSON cannot be made into: Job"),
        ("job, order: dict | list | Job", "'order' is the payload's, whose type "),
    ],
)  # fmt: skip
def test_a_payload_of_a_type_that_cannot_be_used_is_reported(
    directory: Directory, parameters: str, fault: str
) -> None:
    directory.write(a=f'@handler("x")\ndef f({parameters}): pass')
    [problem] = directory.problems()
    assert problem.startswith(f"a.py:2: handler 'x': its second parameter {fault}")


@pytest.mark.parametrize(
    "parameters",
    ["job", "_", "*args", "job, more=1", "job, more: int = 1", "job, **more", "job, order: dict[str, int]"],
)
def test_a_handler_that_can_be_called_with_a_job_is_taken(directory: Directory, parameters: str) -> None:
    directory.write(a=f'@handler("x")\ndef f({parameters}): pass')
    assert directory.load().names() == ["x"]


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_generator_is_reported_since_calling_it_runs_nothing(directory: Directory, prefix: str) -> None:
    directory.write(a=f'@handler("x")\n{prefix}def f(job): yield 1')
    [problem] = directory.problems()
    assert problem.startswith("a.py:2: handler 'x' is a generator")


def test_every_problem_is_reported_at_once(directory: Directory) -> None:
    directory.write(
        a='@handler("", max_retries=-1)\ndef f(): pass',
        b="import no_such_module_anywhere",
        c="def f(:",
        d='@handler("send")\ndef one(job): pass\n@handler("send")\ndef two(job): pass',
    )
    places = [":".join(problem.split(":")[:2]) for problem in directory.problems()]
    assert sorted(places) == ["a.py:2", "a.py:2", "a.py:2", "b.py:2", "c.py:2", "d.py:4"]


def test_being_told_to_stop_is_not_taken_for_a_fault(directory: Directory) -> None:
    directory.write(a="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        directory.load()


# --- schedules


def test_a_handler_may_declare_when_it_runs(directory: Directory) -> None:
    directory.write(
        timed="""
from datetime import timedelta

@handler("nightly", cron="30 3 * * *", timezone="Europe/Berlin")
def nightly(job): ...

@handler("often", every=timedelta(seconds=90))
def often(job): ...

@handler("plain")
def plain(job): ...
"""
    )
    found = {spec.name: schedule_of(spec) for spec in directory.load()}
    assert found["plain"] is None
    told = {
        name: (schedule.name, schedule.job, schedule.when, schedule.timezone, schedule.source)
        for name, schedule in found.items()
        if schedule
    }
    assert told == {
        "nightly": ("nightly", "nightly", "30 3 * * *", "Europe/Berlin", "handler"),
        "often": ("often", "often", "every 90s", "UTC", "handler"),
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ('every="often"', "@handler: schedule 'a': every 'often': want a duration"),
        ("every=90", "@handler: schedule 'a': every 90: want a duration"),
        ('cron="61 * * * *"', "@handler: schedule 'a': cron '61 * * * *': bad minute '61': want 0 to 59"),
        ('cron="@daily", every="1d"', "@handler: schedule 'a': both cron ('@daily') and every ('1d') are given"),
        ('timezone="Europe/Berlin"', "@handler: schedule 'a': want either cron"),
        ('cron="@daily", timezone="Mars"', "@handler: schedule 'a': timezone 'Mars': no such zone"),
    ],
)  # fmt: skip
def test_a_time_that_can_never_be_is_told_with_its_place(
    directory: Directory, options: str, problem: str
) -> None:
    directory.write(timed=f"@handler('a', {options})\ndef a(job): ...\n")
    (told,) = directory.problems()
    assert told.startswith(f"timed.py:2: {problem}")
