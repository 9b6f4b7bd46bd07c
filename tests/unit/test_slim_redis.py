"""bananasd imports redis-py's connections alone, and nobody else notices."""

import subprocess
import sys
from pathlib import Path

import pytest

from bananasd.store import slim_redis

FIRST = (
    "redis",
    "redis.asyncio",
    "redis.asyncio.cluster",
    "redis.client",
    "redis.commands",
    "redis.sentinel",
)
FAKE_MODULES = ("backoff", "exceptions", "maint_notifications", "retry")


def run(program: str, *options: str) -> str:
    """What the program prints, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert not done.stderr
    return done.stdout


def test_neither_daemon_nor_command_line_imports_the_clients_of_redis_py() -> None:
    imported = run("import sys, bananasd.cli, bananasd.processes.daemon; print(*sys.modules)").split()

    assert "redis.connection" in imported
    assert not {"redis", "redis.client", "redis.cluster", "redis.asyncio", "redis.commands"} & set(imported)


def test_who_imports_redis_afterwards_has_all_of_it() -> None:
    found = run(
        "import sys, bananasd; before = sys.modules['redis.connection'], len(sys.meta_path)\n"
        "import redis\n"
        "assert before == (redis.connection, len(sys.meta_path) + 1)\n"
        "assert redis.exceptions.ConnectionError is redis.ConnectionError\n"
        "assert issubclass(redis.asyncio.ConnectionError, redis.RedisError)\n"
        "print(redis.Redis.__name__, redis.__version__, redis.__file__)"
    ).split()

    assert found[0] == "Redis"
    assert found == run("import redis; print('Redis', redis.__version__, redis.__file__)").split()


@pytest.mark.parametrize("first", FIRST)
def test_any_part_of_redis_can_be_the_first_that_is_imported(first: str) -> None:
    run(f"import bananasd, {first}, redis; {first}.__name__; redis.Redis, redis.asyncio.Redis")


def test_whether_redis_is_installed_can_be_asked_before_it_is_imported() -> None:
    run(
        "import bananasd; from importlib.util import find_spec\n"
        "assert find_spec('redis').origin == find_spec('redis').origin\n"
        "import redis; redis.connection.Connection, redis.Redis"
    )


def test_threads_that_import_redis_at_once_all_get_it_whole() -> None:
    named = run(
        "import bananasd, threading; gate, found = threading.Barrier(8), []\n"
        "def look():\n"
        "    gate.wait()\n"
        "    import redis\n"
        "    found.append((redis.Redis.__name__, redis.connection.Connection.__name__))\n"
        "threads = [threading.Thread(target=look) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]; print(len(found), *set(found))"
    )

    assert named == "8 ('Redis', 'Connection')\n"


def test_redis_imported_before_is_used_as_it_is() -> None:
    run("import redis, sys; there = list(sys.meta_path); import bananasd; assert there == sys.meta_path")


def test_a_version_whose_connections_need_the_package_is_imported_as_usual(tmp_path: Path) -> None:
    package = tmp_path / "redis"
    package.mkdir()
    (package / "__init__.py").write_text("NEEDED = 1\nfrom redis import connection\n")
    (package / "connection.py").write_text("from redis import NEEDED\n")
    for name in FAKE_MODULES:
        (package / f"{name}.py").touch()
    source = Path(slim_redis.__file__).read_text()

    told = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); exec({source!r})\n"
        "there = list(sys.meta_path); import_connections(); assert there == sys.meta_path\n"
        "assert not [name for name in sys.modules if name.startswith('redis')]\n"
        "import redis.connection; print(redis.__file__, redis.connection.NEEDED)"
    )

    assert told.split() == [str(package / "__init__.py"), "1"]


def test_beside_another_thread_redis_is_imported_as_usual() -> None:
    run(
        "import sys, threading; gate = threading.Event(); thread = threading.Thread(target=gate.wait); thread.start()\n"
        "import bananasd; there = 'redis.client' in sys.modules\n"
        "gate.set(); thread.join(); assert there"
    )


def test_who_wants_to_know_of_every_import_is_told_of_this_one() -> None:
    told = run(
        "import sys\n"
        "class Hook:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'redis': print('told')\n"
        "sys.meta_path.insert(0, Hook()); import bananasd, redis; redis.Redis"
    )

    assert told == "told\n"
