"""How many files a client holds open: a few when nothing is under way, and no more than its process may."""

import subprocess
import sys

import pytest

from tests.conftest import RedisServer, wait_until

FEW_FILES = "import resource, time; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
THREADS = """
import threading
from bananasd import Client

def use(call):
    with Client(URL) as client:
        threads = [threading.Thread(target=call, args=(client,)) for _ in range(200)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(len(done))

def work(client):
    for _ in range(CALLS):
        client.queue_stats()
        time.sleep(0)
    done.append(1)
"""
TASKS = """
import asyncio
from bananasd import AsyncClient

def use(call):
    asyncio.run(use_it(call))

async def use_it(call):
    async with AsyncClient(URL) as client:
        await asyncio.gather(*[call(client) for _ in range(200)])
        print(len(done))

async def work(client):
    for _ in range(CALLS):
        await client.queue_stats()
    done.append(1)
"""


TAKE_ALL = """
import os
from bananasd import Client
with Client(URL) as client:
    client.queue_stats()  # Some modules are imported by the first call only.
held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
"""


def output(program: str, **words: object) -> str:
    constants = "".join(f"{name} = {value!r}\n" for name, value in words.items())
    return subprocess.run(
        [sys.executable, "-c", f"{constants}{FEW_FILES}done = []{program}"],
        stdout=subprocess.PIPE, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("kind", [THREADS, TASKS])
def test_more_calls_at_once_than_files_wait_for_each_others_connections(server, kind):
    assert output(f"{kind}use(work)", URL=server.url, CALLS=1) == "200\n"


@pytest.mark.parametrize("kind", [THREADS, TASKS])
def test_calls_that_follow_each_other_at_once_starve_none_that_waits(server, kind):
    assert output(f"{kind}use(work)", URL=server.url, CALLS=10) == "200\n"


def test_a_call_that_no_file_is_left_for_takes_one_that_another_part_of_the_program_closes(server):
    program = f"""
import threading
{TAKE_ALL}threading.Timer(0.3, lambda: os.close(held.pop())).start()
print(Client(URL).queue_stats().ready)
"""
    assert output(program, URL=server.url) == "0\n"


def test_a_call_that_no_file_is_left_for_ends_in_its_time_and_says_why(server):
    program = f"""
from bananasd import ConnectionFailed
{TAKE_ALL}began = time.monotonic()
try: Client(URL, timeout_seconds=0.6)
except ConnectionFailed as error: print("Too many open files" in str(error), 0.4 < time.monotonic() - began < 5)
"""
    assert output(program, URL=server.url) == "True True\n"


def test_a_call_that_is_cancelled_while_it_waits_passes_its_connection_on(server):
    program = f"""{TASKS}
async def cancel_some(client):
    n = len(done); done.append(1)
    task = asyncio.create_task(client.queue_stats())
    await asyncio.sleep(0.001 * (n % 100))
    if n % 2: task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    assert n % 2 or results[0].ready == 0, results
use(cancel_some)"""
    assert output(program, URL=server.url) == "200\n"


@pytest.mark.parametrize("kind", [THREADS, TASKS])
def test_of_the_connections_of_a_burst_a_few_are_kept(server: RedisServer, kind):
    def left() -> int:
        return server.call("CLIENT", "LIST").count(b"name=burst")  # type: ignore[attr-defined,no-any-return]

    program = f"""{kind.replace("print(len(done))", "print(len(done), flush=True); input()")}
use(work)"""
    constants = f"done, CALLS, URL = [], 3, {server.url + '?client_name=burst'!r}\nimport time\n"
    process = subprocess.Popen(
        [sys.executable, "-c", constants + program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout and process.stdout.readline() == "200\n"
        wait_until(lambda: 0 < left() <= 10)
        process.communicate("\n", timeout=60)
    assert process.returncode == 0


def test_of_the_connections_of_many_waits_a_few_are_kept(server):
    program = """
import asyncio
from bananasd import AsyncClient, WaitTimeout
async def use():
    async with AsyncClient(URL) as client:
        job_id = await client.submit_job("any", 1)
        waits = await asyncio.gather(*[client.wait(job_id, 0.2) for _ in range(30)], return_exceptions=True)
        assert all(isinstance(wait, WaitTimeout) for wait in waits), waits
        await asyncio.sleep(0.01)
        import os; print(len(os.listdir("/proc/self/fd")) < 30)
asyncio.run(use())
"""
    assert output(program, URL=server.url) == "True\n"
