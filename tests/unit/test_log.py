"""Log lines: what they hold, for whom they are written, and what can neither break nor leak through them."""

import io
import json
import logging
import os
import re
import threading
import timeit
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd import log
from bananasd.masking import mask_url

JOB_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
logger = logging.getLogger("mail")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Unprintable:
    """What a user may log by mistake."""

    def __str__(self):
        raise RuntimeError("no words")


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    level, factory = root.level, logging.getLogRecordFactory()
    yield
    log.clear_job()
    log.set_process("bananasd")
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, log._LineHandler)]
    root.setLevel(level)
    logging.setLogRecordFactory(factory)


@pytest.fixture
def lines():
    """Set up logging in a format, run something, and return the lines that it wrote."""

    def lines(action, format="text", level="debug"):  # noqa: A002
        stream = io.StringIO()
        log.configure(level, format, stream)
        action()
        assert stream.getvalue().endswith("\n")
        return stream.getvalue()[:-1].split("\n")

    return lines


@pytest.fixture
def fields(lines):
    """The fields of the one JSON line that an action writes."""

    def fields(action):
        (line,) = lines(action, "json")
        return json.loads(line)

    return fields


def fail(reason):
    raise ValueError(reason)


def log_failure():
    try:
        fail("no such account")
    except ValueError:
        logger.exception("job failed id=%s attempt=%d", "a1", 2)


# What a line holds


def test_a_text_line_has_time_level_process_logger_and_message(lines):
    log.set_process("worker 3")
    (line,) = lines(lambda: logger.info("job failed id=%s ms=%d", "a1", 13))
    assert re.fullmatch(rf"{TIME} info worker 3 mail: job failed id=a1 ms=13", line)


def test_a_json_line_has_the_same_as_fields(fields):
    log.set_process("scheduler")
    found = fields(lambda: logger.warning("outage seconds=%d", 4))
    assert re.fullmatch(TIME, found.pop("time"))
    assert found == {
        "level": "warning",
        "process": "scheduler",
        "pid": os.getpid(),
        "logger": "mail",
        "message": "outage seconds=4",
    }


def test_the_time_is_the_records_in_utc_to_the_millisecond(fields):
    record = logging.makeLogRecord(
        {"name": "mail", "levelno": 20, "levelname": "INFO", "created": 1_700_000_000.1239}
    )
    assert fields(lambda: logger.handle(record))["time"] == "2023-11-14T22:13:20.123Z"


def test_a_text_line_of_a_running_job_names_it(lines):
    log.set_job(JOB_ID, "send_mail", 2)
    (line,) = lines(lambda: logger.info("sending to %s", "ann"))
    assert line.endswith(f" bananasd [id={JOB_ID} name=send_mail attempt=2] mail: sending to ann")


def test_a_json_line_of_a_running_job_names_it(fields):
    log.set_job(JOB_ID, "send_mail", 2)
    found = fields(lambda: logger.info("sending"))
    assert (found["job_id"], found["job_name"], found["attempt"]) == (JOB_ID, "send_mail", 2)


def test_a_thread_that_the_handler_starts_logs_with_the_job(fields):
    log.set_job(JOB_ID, "send_mail", 1)
    thread = threading.Thread(target=lambda: logger.info("from a thread"))

    def run():
        thread.start()
        thread.join()

    assert fields(run)["job_id"] == JOB_ID


def test_after_the_job_its_name_is_gone(fields):
    log.set_job(JOB_ID, "send_mail", 1)
    log.clear_job()
    assert "job_id" not in fields(lambda: logger.info("idle"))


def test_a_record_keeps_the_job_it_was_made_for(lines, fields):
    lines(lambda: logger.info("sets the record factory"))
    log.set_job(JOB_ID, "send_mail", 1)
    record = logger.makeRecord("mail", logging.INFO, "f", 1, "queued by a QueueHandler", (), None)
    log.set_job("another", "resize", 1)
    assert fields(lambda: logger.handle(record))["job_id"] == JOB_ID


def test_users_may_call_an_extra_field_job(lines):
    log.set_job(JOB_ID, "send_mail", 1)
    (line,) = lines(lambda: logger.info("mine", extra={"job": 1, "job_id": 2, "attempt": 3}))
    assert f"id={JOB_ID}" in line


def test_setting_and_clearing_a_job_is_cheap():
    def once():
        log.set_job(JOB_ID, "send_mail", 1)
        log.clear_job()

    # Well under a microsecond; the rest of this limit is for tracers and busy machines.
    assert min(timeit.repeat(once, number=1000, repeat=20)) / 1000 < 5e-6


def test_a_traceback_follows_a_text_line_indented(lines):
    found = lines(log_failure)
    assert found[0].endswith("mail: job failed id=a1 attempt=2")
    assert found[1] == "    Traceback (most recent call last):"
    assert found[-1] == "    ValueError: no such account"
    assert all(line.startswith("    ") for line in found[1:])


def test_a_traceback_is_one_field_of_a_json_line(fields):
    found = fields(log_failure)
    assert found["message"] == "job failed id=a1 attempt=2"
    assert found["exception"].startswith("Traceback (most recent call last):\n")
    assert found["exception"].endswith("ValueError: no such account")


def test_an_exception_call_where_nothing_was_raised_is_an_ordinary_line(lines, fields):
    def action():
        logger.exception("nothing raised")  # noqa: LOG004

    assert len(lines(action)) == 1
    assert "exception" not in fields(action)


def test_a_stack_that_was_asked_for_is_logged(lines, fields):
    def action():
        logger.info("here", stack_info=True)

    assert lines(action)[1] == "    Stack (most recent call last):"
    assert fields(action)["stack"].startswith("Stack (most recent call last):")


# Which lines, and for whom


def test_records_below_the_level_are_left_out(lines):
    def action():
        logger.info("quiet")
        logger.warning("loud")

    (line,) = lines(action, level="warning")
    assert line.endswith("loud")


def test_configuring_again_replaces_our_handler_and_leaves_others_alone(lines):
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first = io.StringIO()
    log.configure("info", "text", first)
    (line,) = lines(lambda: logger.info("once"))
    assert line.endswith("once")
    assert first.getvalue() == ""
    assert other in logging.getLogger().handlers


def test_without_a_stream_lines_go_to_standard_error(capsys):
    log.configure("info", "text")
    logger.info("hello")
    assert capsys.readouterr().err.endswith("mail: hello\n")


def is_text(stream, format="auto"):  # noqa: A002
    log.configure("info", format, stream)
    logger.info("hello")
    stream.seek(0)
    return not stream.read().startswith("{")


def test_auto_is_text_for_a_terminal_and_json_for_anything_else():
    assert is_text(Terminal())
    assert not is_text(io.StringIO())


def test_the_format_can_be_forced():
    assert is_text(io.StringIO(), "text")
    assert not is_text(Terminal(), "json")


@pytest.fixture
def journal(monkeypatch, tmp_path):
    """A stream that systemd would read."""
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        yield stream


def test_auto_is_text_with_priorities_for_the_journal(journal):
    log.configure("debug", "auto", journal)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 35, 5):
        logger.log(level, "hello")
    journal.seek(0)
    assert [line[:3] for line in journal] == ["<7>", "<6>", "<4>", "<3>", "<2>", "<4>"]


def test_each_line_for_the_journal_begins_with_the_priority_of_its_record(journal):
    log.configure("info", "auto", journal)
    logger.error("one\n<0>two")
    journal.seek(0)
    assert journal.read().splitlines()[1] == "<3>    <0>two"


def test_a_stream_that_was_redirected_away_from_the_journal_is_not_the_journal(monkeypatch, tmp_path):
    with (tmp_path / "file").open("w+") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", f"{os.fstat(stream.fileno()).st_dev}:1")
        assert not is_text(stream)


def test_json_can_be_forced_in_the_journal(journal):
    assert not is_text(journal, "json")


# What can neither break nor leak


def log_to_our_handler_only(message, *arguments):
    """Pass pytest by: its handler raises for a bad call, and its workers cannot pass half a character on."""
    record = logger.makeRecord("mail", logging.INFO, "jobs/mail.py", 7, message, arguments, None)
    next(h for h in logging.getLogger().handlers if isinstance(h, log._LineHandler)).handle(record)


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("%d of %d", 1), "TypeError: not enough arguments for format string: %d of %d"),
        (("%d", "x"), "TypeError: %d format: a real number is required, not str: %d"),
        (("%s", Unprintable()), "RuntimeError: no words: %s"),
        ((Unprintable(),), "RuntimeError: no words: Unprintable"),
        (("%(a)s", {"b": 1}), "KeyError: 'a': %(a)s"),
    ],
)
def test_a_call_that_cannot_be_formatted_is_logged_as_that_and_raises_nothing(lines, call, reason, format):  # noqa: A002
    log.set_job(JOB_ID, "send_mail", 1)
    (line,) = lines(lambda: log_to_our_handler_only(*call), format)
    assert f"log call cannot be formatted at jobs/mail.py:7: {reason}" in line
    assert JOB_ID in line


def test_a_stream_that_fails_raises_nothing_and_nothing_is_printed(capsys):
    class Broken(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    log.configure("info", "text", Broken())
    logger.info("password=%s", "hunter2")
    assert capsys.readouterr().err == ""


def test_a_line_end_in_a_message_cannot_forge_a_line(lines):
    forged = "2026-11-24T08:40:00.000Z info master bananasd: all is well"
    found = lines(lambda: logger.info("name=%s", f"x\n{forged}\r{forged}\x85{forged}\u2028{forged}\x1b[2J"))
    assert len(found) == 2
    assert found[1] == f"    {forged}\\r{forged}\\x85{forged}\\u2028{forged}\\x1b[2J"


def test_tabs_and_letters_of_all_languages_stay_as_they_are(lines):
    (line,) = lines(lambda: logger.info("tab\there, Zoë, 10\xa0%, 香蕉\u3000🍌, 👩\u200d🍳"))
    assert line.endswith("tab\there, Zoë, 10\xa0%, 香蕉\u3000🍌, 👩\u200d🍳")


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\U000e0041"])
def test_what_turns_a_text_round_or_cannot_be_seen_is_shown(lines, mark):
    (line,) = lines(lambda: logger.info("user=%s", f"a{mark}b"))
    assert line.endswith(f"user=a{mark.encode('unicode_escape').decode()}b")


@pytest.mark.parametrize("format", ["text", "json"])
def test_half_a_character_is_escaped_since_no_stream_could_write_it(lines, format):  # noqa: A002
    (line,) = lines(lambda: log_to_our_handler_only("\ud83c!"), format)
    assert "\\ud83c!" in line


@given(message=st.text(), name=st.text())
def test_whatever_is_logged_a_record_begins_one_line_and_json_reads_back(message, name):
    for line_format in ("text", "json"):
        stream = io.StringIO()
        log.configure("info", line_format, stream)
        log.set_job(JOB_ID, name, 1)
        logger.info("%s", message)
        first, *others = stream.getvalue()[:-1].splitlines()
        assert JOB_ID in first
        assert all(line.startswith("    ") for line in others)
        if line_format == "json":
            assert json.loads(first)["message"] == mask_url(message)


@pytest.mark.parametrize("format", ["text", "json"])
def test_secrets_are_masked_in_messages_arguments_tracebacks_and_stacks(lines, format):  # noqa: A002
    def action():
        try:
            fail("redis://:hunter2@h/?password=hunter2")
        except ValueError:
            logger.exception("lost redis://:hunter2@h %s", "unix:///r?password=hunter2", stack_info=True)

    text = "\n".join(lines(action, format))
    assert "redis://***@h" in text
    assert "unix:///r?password=***" in text
    # The source line that a traceback quotes is a URL in quotes too.
    assert "hunter2" not in text


FIELDS = ("exc_type", "exc_value", "exc_traceback")


class EmptyError(ValueError):
    """One that counts as false, and cannot be made anew."""

    def __init__(self, needed):
        super().__init__(needed)

    def __len__(self):
        return 0


@pytest.mark.parametrize(("error", "told"), [
    (EmptyError("lost"), "test_log.EmptyError: lost"), (None, "RuntimeError: EmptyError, of which nothing else is known"),
])  # fmt: skip
def test_no_exception_that_nobody_caught_is_lost(lines, error, told):
    def action():
        given = (EmptyError, error, None)
        log._log_unraisable(SimpleNamespace(**dict(zip(FIELDS, given, strict=True)), object=EmptyError))
        log._log_thread(threading.ExceptHookArgs((*given, None)))

    text = "\n".join(lines(action))
    assert text.count(told) == 2 and "exception ignored in=type" in text and "thread failed name=None" in text
