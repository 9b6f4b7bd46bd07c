"""What the embedded server prints comes into the log: whole lines, at the level that they deserve."""

import logging
import os

import pytest

from bananasd.processes.server_log import MAX_LINE_BYTES, PIPE_BYTES, ServerLog

HEAD = "27180:M 29 Nov 2026 10:51:25.476"


@pytest.fixture
def server_log(caplog):
    caplog.set_level(logging.DEBUG)
    server_log = ServerLog()
    yield server_log
    server_log.close()


def said(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize(("line", "level", "text"), [
    (f"{HEAD} # WARNING Memory overcommit must be enabled!", "INFO", "WARNING Memory overcommit must be enabled!"),
    (f"{HEAD} # Valkey is now ready to exit, bye bye...", "INFO", "Valkey is now ready to exit, bye bye..."),
    (f"{HEAD} # User requested shutdown...", "INFO", "User requested shutdown..."),
    ("27180:signal-handler (1795949487) Received SIGTERM scheduling shutdown...", "INFO", "Received SIGTERM scheduling shutdown..."),
    ("27189:C 29 Nov 2026 10:51:27.528 # Configuration loaded", "INFO", "Configuration loaded"),
    (f"{HEAD} # Error writing to the AOF file: No space left on device", "WARNING", "Error writing to the AOF file: No space left on device"),
    ("27189:signal-handler (1) Redis 7.0 crashed by signal: 11", "WARNING", "Redis 7.0 crashed by signal: 11"),
    ("*** FATAL CONFIG FILE ERROR ***", "WARNING", "*** FATAL CONFIG FILE ERROR ***"),
])  # fmt: skip
def test_a_line_has_the_level_that_it_deserves(server_log, caplog, line, level, text):
    os.write(server_log.writer, f"{line}\n".encode())
    server_log.take()
    assert said(caplog) == [(level, f"server says: {text}")]


def test_a_line_is_logged_when_it_is_whole(server_log, caplog):
    os.write(server_log.writer, f"{HEAD} # one\n\n{HEAD} # tw".encode())
    server_log.take()
    assert said(caplog) == [("WARNING", "server says: one")]
    os.write(server_log.writer, b"o\xff\n")
    server_log.take()
    server_log.take()
    assert said(caplog)[1:] == [("WARNING", "server says: two\ufffd")]


def test_a_line_without_end_fills_no_memory(server_log, caplog):
    for _ in range(3):
        os.write(server_log.writer, b"x" * MAX_LINE_BYTES)
        server_log.take()
    os.write(server_log.writer, b"\n")
    server_log.take()
    ((_, text),) = said(caplog)
    assert len(text) < 2 * MAX_LINE_BYTES


def test_a_server_whose_lines_nobody_reads_does_not_stand_still(server_log):
    written = os.write(server_log.writer, b"x" * 2 * PIPE_BYTES)
    assert written < 2 * PIPE_BYTES
    with pytest.raises(BlockingIOError):
        os.write(server_log.writer, b"x")


def test_what_a_server_that_cannot_start_says_each_time_is_told_once_and_then_counted(
    server_log, caplog, monkeypatch
):
    def say(seconds):
        monkeypatch.setattr("bananasd.clock.monotonic", lambda: 1000.0 + seconds)
        os.write(server_log.writer, f"{HEAD} # Bad file format\n{HEAD} # bye, ready to exit\n".encode())
        server_log.take()

    for seconds in (0, 1, 3, 7, 15):
        say(seconds)
    assert said(caplog) == [
        ("WARNING", "server says: Bad file format"),
        ("WARNING", "server says: bye, ready to exit"),
    ]
    caplog.clear()
    say(31)
    assert said(caplog)[0] == ("WARNING", "server says again times=5 seconds=31: Bad file format")
