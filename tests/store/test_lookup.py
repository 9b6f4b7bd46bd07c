"""The lookup of a host's name, and a name server that does not answer."""

import asyncio
import asyncio.selector_events
import errno
import gc
import itertools
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bananasd import AsyncClient, Client, ConnectionFailed, clock
from bananasd.store import lookup
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.known_addresses import MAX_SHARED, Addresses, KnownAddresses
from tests.conftest import wait_until
from tests.patience import insist, tries

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]
SILENT = r"the name server did not answer in time where '{}' is"


class NameServer:
    """Answers when it is told to; until then whoever asks for a name waits."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.found = FOUND
        self.fault = socket.EAI_NONAME
        self._ask = socket.getaddrinfo

    def getaddrinfo(self, host, port, *, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            return self._ask(host, port, flags=flags, **options)
        self.asked.append(host)
        assert self.answers.wait(30)
        if not self.found:
            raise socket.gaierror(self.fault, "no such name")
        return self.found


@pytest.fixture
def names(monkeypatch):
    names = NameServer()
    monkeypatch.setattr(lookup.LOOKUPS, "known", KnownAddresses())
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.answers.set()
    wait_until(lambda: not threads())


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lookup"]


def find(host: str, seconds: float = 10) -> Addresses:
    return lookup.find(host, 6379, clock.deadline_in(seconds))


def fresh_names() -> Iterator[str]:
    """Each of a host for which nobody looks yet."""
    return (f"host-{number}.example" for number in itertools.count())


def test_a_silent_name_server_takes_no_more_time_than_there_is(names):
    for attempt, name in zip(tries(2, at_least=0.2), fresh_names(), strict=False):
        with attempt, pytest.raises(TimeoutError, match=SILENT.format(name)):
            find(name, 0.2)


def test_a_connect_ends_in_its_time_and_says_what_it_waited_for(names):
    for attempt, name in zip(tries(2), fresh_names(), strict=False):
        connection = HeldConnection(Server(f"redis://{name}", 0.2))
        told = f"redis://{name}:6379: " + SILENT.format(name)
        with attempt, pytest.raises(ConnectionFailed, match=told):
            connection.trip([("PING",)])


def test_so_does_that_of_a_task_and_its_loop_waits_for_nobody(names):
    async def use(name: str) -> None:
        async with AsyncClient(f"redis://{name}", timeout_seconds=0.2) as client:
            await client.queue_stats()

    for attempt, name in zip(tries(2), fresh_names(), strict=False):
        told = f"redis://{name}:6379: " + SILENT.format(name)
        with attempt, pytest.raises(ConnectionFailed, match=told):
            asyncio.run(use(name))


def test_a_sentinel_whose_name_is_not_found_leaves_time_for_the_next(names):
    url = "redis+sentinel://host.example,127.0.0.1:1/main"
    with pytest.raises(ConnectionFailed) as failure:
        HeldConnection(Server(url, 1)).trip([("PING",)])
    assert "did not answer in time" in str(failure.value)
    assert "127.0.0.1:1: Error 111" in str(failure.value)


def test_those_who_ask_for_one_name_wait_for_one_lookup(names):
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(find, "host.example") for _ in range(8)]
        wait_until(lambda: names.asked)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                find("host.example", 0.02)
        assert len(threads()) == 1
        names.answers.set()
        assert [task.result() for task in asking] == 8 * [FOUND]
    assert names.asked == ["host.example"]


def test_another_name_has_a_lookup_of_its_own(names):
    for name in ("one.example", "two.example"):
        with pytest.raises(TimeoutError):
            find(name, 0.02)
    wait_until(lambda: names.asked == ["one.example", "two.example"])


def test_as_soon_as_the_name_server_answers_all_goes_on(names, server):
    with pytest.raises(TimeoutError):
        find("host.example", 0.02)
    names.answers.set()
    wait_until(lambda: not threads())
    names.found = 2 * FOUND
    assert find("host.example") == 2 * FOUND
    names.found = []
    with pytest.raises(socket.gaierror, match="no such name"):
        find("host.example")
    assert len(names.asked) == 3


def test_an_answer_that_comes_too_late_serves_the_next_who_asks(names):
    with pytest.raises(TimeoutError):
        find("host.example", 0.02)
    names.answers.set()
    wait_until(lambda: not threads())
    names.answers.clear()
    assert find("host.example", 0.2) == FOUND
    with pytest.raises(TimeoutError):
        find("other.example", 0.02)


def test_what_was_found_holds_while_the_name_server_is_silent_or_the_system_says_so(names, proxy):
    port = int(proxy.url.rpartition(":")[2])
    names.found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    names.answers.set()
    connection = HeldConnection(Server("redis://host.example", 1))

    def ping() -> list[object]:
        connection.close()
        return connection.trip([("PING",)])

    async def use() -> None:
        async with AsyncClient("redis://host.example", timeout_seconds=1) as client:
            assert (await client.queue_stats()).ready == 0

    def in_silence(use: Callable[[], object]) -> object:
        """By a lookup that it begins: one that was begun before has had its time already."""
        names.answers.set()
        wait_until(lambda: not threads())
        names.answers.clear()
        return use()

    assert insist(ping) == [b"PONG"]
    assert insist(lambda: in_silence(ping)) == [b"PONG"]
    insist(lambda: in_silence(lambda: asyncio.run(use())))
    names.answers.set()
    wait_until(lambda: not threads())
    names.found, names.fault = [], socket.EAI_AGAIN
    assert insist(ping) == [b"PONG"]
    names.fault = socket.EAI_NONAME
    connection.close()
    with pytest.raises(ConnectionFailed, match="no such name"):
        connection.trip([("PING",)])
    wait_until(lambda: not threads())
    names.answers.clear()
    with pytest.raises(ConnectionFailed, match="did not answer in time"):
        connection.trip([("PING",)])


def test_a_task_that_is_cancelled_leaves_the_lookup_to_the_others(names):
    async def use() -> None:
        async def ask() -> None:
            await AsyncClient("redis://host.example").queue_stats()

        task = asyncio.create_task(ask())
        await asyncio.to_thread(wait_until, lambda: names.asked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(find, "host.example")
        names.answers.set()
        assert asking.result() == FOUND


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_in_numbers_needs_no_thread(names, monkeypatch, host):
    def refuse(*_: object) -> None:
        pytest.fail("a thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert find(host)[0][4][0] == host
    assert names.asked == []


def test_a_unix_socket_needs_no_lookup(names, server, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a lookup"))
    with Client(server.url) as client:
        assert client.queue_stats().ready == 0


def test_a_forked_process_waits_for_no_lookup_of_its_parent(names):
    with pytest.raises(TimeoutError):
        find("host.example", 0.02)
    assert len(threads()) == 1
    wait_until(lambda: names.asked)
    pid = os.fork()
    if not pid:
        names.answers = threading.Event()
        names.answers.set()
        os._exit(0 if find("host.example") == FOUND and len(names.asked) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_where_there_can_be_no_thread_whoever_asks_waits(names, monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    names.answers.set()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert find("host.example") == FOUND
    names.found = []
    with pytest.raises(ConnectionFailed, match="no such name"):
        HeldConnection(Server("redis://other.example", 1)).trip([("PING",)])
    # What is known it need not wait for.
    names.answers.clear()
    assert find("host.example") == FOUND


def test_a_program_does_not_wait_at_its_end_for_a_name_server(tmp_path):
    program = """
        import socket, sys, time
        from bananasd import Client, ConnectionFailed
        socket.getaddrinfo = lambda *_, flags=0, **__: time.sleep(60) if not flags else ask()
        def ask():
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        try:
            Client("redis://host.example", timeout_seconds=0.1).queue_stats()
        except ConnectionFailed:
            print("in time")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(command, capture_output=True, timeout=30, check=True).stdout == b"in time\n"


def test_a_connection_whose_name_was_not_found_goes_with_its_last_user(names):
    names.found = []
    names.answers.set()
    connection = HeldConnection(Server("redis://host.example", 5))
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ConnectionFailed, match="no such name"):
            connection.trip([("PING",)])
        wait_until(lambda: not threads())
        gone = weakref.ref(connection)
        del connection
        assert gone() is None
    finally:
        gc.enable()


def test_a_name_leads_to_the_first_of_its_addresses_that_answers(names, server, proxy):
    names.answers.set()
    port = int(proxy.url.rpartition(":")[2])
    names.found = [*FOUND, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    with Client("redis://host.example") as client:
        assert client.queue_stats().ready == 0


def at(host: str, port: int = 1) -> tuple[object, ...]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.SOCK_STREAM, 6, "", (host, port)


@pytest.mark.parametrize("order", [1, -1])
def test_the_fault_that_is_told_is_not_that_this_host_lacks_a_kind_of_address(names, order, monkeypatch):
    """On a host without IPv6 a name with both kinds of address is refused by the one, and has no way to the other."""
    connect, sock_connect = socket.socket.connect, asyncio.selector_events.BaseSelectorEventLoop.sock_connect

    def look(sock):
        if sock.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    def lack(sock, place):
        look(sock)
        connect(sock, place)

    async def lack_too(loop, sock, place):
        look(sock)
        await sock_connect(loop, sock, place)

    async def use() -> None:
        async with AsyncClient("redis://host.example", timeout_seconds=5) as client:
            await client.queue_stats()

    monkeypatch.setattr(socket.socket, "connect", lack)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", lack_too)
    names.answers.set()
    names.found = [at("127.0.0.1"), at("::1")][::order]
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        HeldConnection(Server("redis://host.example", 5)).trip([("PING",)])
    with pytest.raises(ConnectionFailed, match="Errno 111"):
        asyncio.run(use())
    names.found = [at("::1")]
    with pytest.raises(ConnectionFailed, match="Cannot assign requested address"):
        HeldConnection(Server("redis://host.example", 5)).trip([("PING",)])


def test_what_is_known_is_tried_soon_however_much_time_there_is(names):
    names.answers.set()
    assert find("host.example") == FOUND
    names.answers.clear()
    began = time.monotonic()
    assert find("host.example", 60) == FOUND
    assert 1 <= time.monotonic() - began < 30
    # The name server has had its second; it is still the same lookup.
    for attempt in tries(0.5):
        with attempt:
            assert find("host.example", 60) == FOUND
    assert len(names.asked) == 2


@pytest.mark.parametrize("fault", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM, socket.EAI_MEMORY])
def test_only_that_there_is_no_such_name_takes_back_what_was_said(names, fault):
    names.answers.set()
    assert find("host.example") == FOUND
    names.found, names.fault = [], fault
    assert find("host.example") == FOUND
    with pytest.raises(socket.gaierror):
        find("other.example")
    names.fault = socket.EAI_NODATA
    with pytest.raises(socket.gaierror):
        find("host.example")


class Process:
    """One of several that share a file."""

    def __init__(self, file: Path) -> None:
        self.known = KnownAddresses()
        self.known.share(file)


def test_what_one_process_was_told_others_know(tmp_path):
    one, other = (Process(tmp_path / "addresses.json").known for _ in range(2))
    one.put("host.example", 1, [at("127.0.0.1"), at("::1")])
    assert other.get("host.example", 1) == [at("127.0.0.1"), at("::1")]
    assert other.get("host.example", 2) is None
    # The latest word counts, whoever has it.
    other.put("host.example", 1, [at("127.0.0.2")])
    assert one.get("host.example", 1) == [at("127.0.0.2")]
    other.put("other.example", 1, [at("127.0.0.3")])
    other.drop("host.example", 1)
    assert Process(tmp_path / "addresses.json").known.get("host.example", 1) is None
    assert one.get("other.example", 1) == [at("127.0.0.3")]
    assert [path.name for path in tmp_path.iterdir()] == ["addresses.json"]


def test_what_only_others_know_is_tried_when_half_of_the_time_is_over(names, tmp_path):
    """The server may have moved since they asked."""
    file = tmp_path / "addresses"
    lookup.LOOKUPS.known.share(file)
    Process(file).known.put("host.example", 6379, [at("127.0.0.3")])
    for attempt in tries(3, at_least=1.5):
        with attempt:
            assert find("host.example", 3) == [at("127.0.0.3")]
    names.answers.set()
    wait_until(lambda: not threads())
    assert find("host.example", 3) == FOUND


def test_what_is_known_is_written_when_it_changes(tmp_path):
    file = tmp_path / "addresses.json"
    known = Process(file).known
    known.put("host.example", 1, [at("127.0.0.1")])
    written = file.stat().st_ino
    known.put("host.example", 1, [at("127.0.0.1")])
    assert file.stat().st_ino == written
    known.put("host.example", 1, [at("127.0.0.2")])
    assert file.stat().st_ino != written


def test_of_ever_new_names_the_last_ones_are_shared(tmp_path):
    one, other = (Process(tmp_path / "addresses.json").known for _ in range(2))
    for number in range(MAX_SHARED + 1):
        one.put(f"host-{number}.example", 1, [at("127.0.0.1")])
    assert other.get("host-0.example", 1) is None
    assert other.get("host-1.example", 1) == other.get(f"host-{MAX_SHARED}.example", 1) == [at("127.0.0.1")]
    assert one.get("host-0.example", 1) == [at("127.0.0.1")]


@pytest.mark.parametrize(
    "content",
    [
        b'{"h:1": [[2, 1, 6, "", ["127.0.0.1", "x"]]]}',
        b'{"h:1": [[2, 1, 6, "", ["127.0.0.1", 70000]]]}',
        b'{"h:1": [[2, 1, 99999999999, "", ["127.0.0.1", 1]]]}',
        b'{"h:1": [[2, 1, 6, "", [1, 1]]]}',
        b'{"h:1": [[2, 1, 6, "", []]]}',
        b"",
        b"\0",
        b"[]",
        b"3",
        b'{"h:1": 3}',
        b'{"h:1": [[1]]}',
        b'{"h:1": [[2, 1, 6, "", 5]]}',
        b"{" * 10_000,
    ],
)
def test_a_file_that_is_damaged_is_as_good_as_none(tmp_path, content):
    file = tmp_path / "addresses.json"
    file.write_bytes(content)
    known = Process(file).known
    assert known.get("h", 1) is None
    known.put("h", 1, [at("127.0.0.1")])
    assert Process(file).known.get("h", 1) == [at("127.0.0.1")]


def test_a_file_that_cannot_be_written_is_done_without(tmp_path):
    known = Process(tmp_path / "gone" / "addresses.json").known
    known.put("h", 1, [at("127.0.0.1")])
    assert known.get("h", 1) == [at("127.0.0.1")]


def test_a_connection_by_name_is_kept_alive_and_waits_for_nothing(names, proxy):
    names.answers.set()
    names.found = [at("127.0.0.1", int(proxy.url.rpartition(":")[2]))]
    connection = HeldConnection(Server("redis://host.example", 5))
    connection.trip([("PING",)])
    with socket.socket(fileno=os.dup(connection.wire.sock.fileno())) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    connection.close()
