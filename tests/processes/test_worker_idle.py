"""What a worker costs that has nothing to do."""

import socket

from bananasd.store.scripts import script
from tests.conftest import wait_until


def monitored(server, are_enough):
    """Everything that the server is told until that is enough, but not what its scripts do."""
    text, lines = b"", []
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(server.socket))
        monitor.settimeout(30)
        monitor.sendall(b"MONITOR\r\n")
        while not are_enough(lines):
            text += monitor.recv(65536)
            whole = text[: text.rfind(b"\n") + 1].decode().splitlines()
            lines = [line for line in whole[1:] if " lua]" not in line]
    return lines


def is_wait(line):
    return "BLPOP" in line and "wake:default" in line


def seconds_of(line):
    """When the server was told it."""
    return float(line.removeprefix("+").split()[0])


def test_an_idle_worker_costs_at_most_two_trips_a_second(server, make_daemon):
    # The worker's own schedules are put when it has entered.
    of_the_scheduler = (
        "beat", "promote", "read_orders", "read_schedules", "put_schedules", "trim", "recover",
    )  # fmt: skip
    for name in of_the_scheduler:
        # Else it is told the whole of it the first time.
        server.call("SCRIPT", "LOAD", script(name).text)
    daemon = make_daemon(redis_url=server.url, settings={"workers": {"count": 1}}).start()
    # A worker is up before it has entered.
    wait_until(lambda: server.call("EXISTS", "{bananas:default}:holders"))
    lines = monitored(server, lambda lines: sum(map(is_wait, lines)) >= 4)
    waits = [line for line in lines if is_wait(line)]
    first, *_, last = waits
    # Before its first wait it claims by the whole script, which the server has yet to learn.
    lines = lines[lines.index(first) :]
    claims = [line for line in lines if script("claim").digest in line]
    between = lines[: lines.index(last)]
    trips = [line for line in between if line in claims or line in waits]
    assert len(trips) <= 2 * (seconds_of(last) - seconds_of(first))
    rest = [line for line in lines if line not in claims and line not in waits]
    assert [
        line
        for line in rest
        if not any(script(name).digest in line for name in of_the_scheduler)
        and "SMEMBERS" not in line and "wake:scheduled" not in line and "INFO" not in line
    ] == []  # fmt: skip
    assert daemon.child("worker").restarts == 0
