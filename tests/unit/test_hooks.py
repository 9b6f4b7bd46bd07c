"""hooks.py in a handlers directory: what is found in it, and what is wrong with one that cannot be meant so."""

import json
import sys
import textwrap

import pytest

from bananasd.errors import HandlersError
from bananasd.handlers import _forget_loaded, load_directory
from bananasd.testing import inline
from tests.command_line import bananasd

HANDLER = 'from bananasd import handler\n@handler("echo")\ndef echo(job): return job.payload\n'


@pytest.fixture
def directory(tmp_path):
    modules, path = dict(sys.modules), list(sys.path)
    _forget_loaded()  # what another test may have loaded
    (tmp_path / "echo.py").write_text(HANDLER)
    yield tmp_path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = path


@pytest.fixture
def hooks_in(directory):
    """The hooks of a hooks.py with this text."""

    def load(text):
        (directory / "hooks.py").write_text(textwrap.dedent(text))
        return load_directory(directory).hooks

    return load


@pytest.fixture
def problems_in(directory, hooks_in):
    """What loading it complains of, without the directory's name."""

    def problems(text):
        with pytest.raises(HandlersError) as caught:
            hooks_in(text)
        return [problem.replace(f"{directory}/", "") for problem in caught.value.problems]

    return problems


def test_a_directory_without_the_file_has_no_hooks(directory):
    assert load_directory(directory).hooks is None


def test_the_file_is_no_module_of_handlers(directory, hooks_in):
    hooks = hooks_in("def before_job(job): ...")
    assert hooks.names() == ["before_job"]
    assert load_directory(directory).names() == ["echo"]


def test_hooks_are_found_in_the_order_of_a_workers_life(hooks_in):
    assert hooks_in(
        """
        def on_dead(job, error): ...
        def after_job(job, end): ...
        def before_job(job): ...
        def on_worker_stop(worker): ...
        def on_failure(job, error): ...
        def on_worker_start(worker): ...
        """
    ).names() == ["on_worker_start", "on_worker_stop", "before_job", "after_job", "on_failure", "on_dead"]


def test_a_hook_may_be_anything_that_can_be_called_so_and_come_from_elsewhere(directory, hooks_in):
    (directory / "_sentry.py").write_text(
        "def on_failure(job, error, hint=None): ...\ndef before_jobs(): ..."
    )
    hooks = hooks_in(
        """
        from functools import partial
        from _sentry import before_jobs, on_failure
        after_job = print
        class Before:
            def __call__(self, job): ...
        before_job = Before()
        on_dead = partial(on_failure, hint=1)
        def on(): "too short to be meant for one"
        def _before_all(): ...
        on_fire = 5
        """
    )
    assert hooks.names() == ["before_job", "after_job", "on_failure", "on_dead"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("def before_jobs(job): ...", "hooks.py:1: no hook is named before_jobs: did you mean before_job?"),
        ("\ndef befor_job(job): ...", "hooks.py:2: no hook is named befor_job: did you mean before_job?"),
        ("def on_success(job): ...", "hooks.py:1: no hook is named on_success: there are on_worker_start, "),
        ("def after_all(): ...", "let its name begin with '_'"),
        ("before_job = 5", "hooks.py:1: hook before_job: is no function but of type int"),
        ("def before_job(): ...", "hooks.py:1: hook before_job: cannot be called with (job)"),
        ("def after_job(job): ...", "hooks.py:1: hook after_job: cannot be called with (job, end)"),
        ("def on_dead(job, *, error): ...", "hooks.py:1: hook on_dead: cannot be called with (job, error)"),
        ("async def on_failure(job, error): ...", "hooks.py:1: hook on_failure: must be a plain function"),
        ("def before_job(job): yield", "hooks.py:1: hook before_job: must be a plain function"),
        ("def before_job(job)", "hooks.py:1: SyntaxError: expected ':'"),
        ("\n1 / 0", "hooks.py:2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "hooks.py:1: sys.exit(3) while it is imported"),
        (HANDLER, "hooks.py:2: handler 'echo': hooks.py is for hooks; declare handlers in another module"),
    ],
)
def test_what_cannot_be_meant_is_reported_with_its_place(problems_in, text, wanted):
    (problem,) = problems_in(text)
    assert wanted in problem


def test_every_problem_is_reported_at_once(problems_in):
    assert len(problems_in("def before_jobs(job): ...\nasync def after_job(job, end): ...\non_dead = 1")) == 3


def test_a_second_load_has_the_hooks_as_they_are_then(directory, hooks_in):
    hooks_in("def before_job(job): ...")
    assert hooks_in("def after_job(job, end): ...").names() == ["after_job"]
    (directory / "hooks.py").unlink()
    assert load_directory(directory).hooks is None


def test_check_shows_the_hooks(directory, hooks_in):
    hooks_in("def before_job(job): ...\ndef on_dead(job, error): ...")
    config = directory / "bananas.toml"
    config.write_text(f'[workers]\nhandlers = "{directory}"\n')
    assert f"before_job, on_dead ({directory}/hooks.py)" in bananasd("check", "--config", config).stdout
    told = json.loads(bananasd("check", "--config", config, "--json").stdout)
    assert told["hooks"] == {"file": f"{directory}/hooks.py", "names": ["before_job", "on_dead"]}
    (directory / "hooks.py").unlink()
    assert json.loads(bananasd("check", "--config", config, "--json").stdout)["hooks"] is None


def test_check_refuses_a_typing_error(directory, hooks_in, problems_in):
    problems_in("def before_jobs(job): ...")
    config = directory / "bananas.toml"
    config.write_text(f'[workers]\nhandlers = "{directory}"\n')
    done = bananasd("check", "--config", config)
    assert done.exit_code == 78
    assert "did you mean before_job?" in done.stderr


def test_hooks_are_for_workers_not_for_tests_of_handlers(directory, hooks_in):
    hooks_in("def before_job(job): raise SystemExit")
    with inline(directory) as queue:
        job_id = queue.client.submit_job("echo", 5)
        assert queue.client.get_result(job_id) == 5
