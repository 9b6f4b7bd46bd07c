"""What a spec must say for a worker to run its job."""

from typing import Any

import pytest

from bananasd import InvalidJob, record

SPEC: dict[str, Any] = {"v": 1, "name": "greet", "payload": None, "created_at": 1}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"max_retries": None, "timeout_seconds": None, "retry": None, "on_lost": None},
        {"retry": [1, 2.5, 0], "on_lost": "dead"},
        {"retry": {}, "on_lost": "retry"},
        {"retry": {"base_seconds": 1, "factor": 1, "cap_seconds": 5, "jitter": 0.5}},
        {"max_retries": 0, "timeout_seconds": 0.5},
        {"created_at": "yesterday", "description": 5, "something": "new"},
    ],
)
def test_a_spec_that_can_be_run_passes(more):
    record.check_spec(SPEC | more)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (None, "its spec is not a JSON object"),
        ([], "its spec is not a JSON object"),
        ({}, "its spec has version None: want a number from 1 to 1"),
        (SPEC | {"v": 0}, "its spec has version 0: want a number from 1 to 1"),
        (SPEC | {"v": True}, "its spec has version True: want"),
        (SPEC | {"v": "1"}, "its spec has version '1': want"),
        (SPEC | {"v": ["x" * 500]}, r"its spec has version .{80,}: want"),
        (
            SPEC | {"v": 2},
            "its spec has version 2, this bananasd reads up to 1: upgrade the daemons, then retry the job",
        ),
        ({"v": 1, "name": "greet"}, "its spec has no payload"),
        ({"v": 1, "payload": 1}, "in its spec: name None: want 1 to 200"),
        (SPEC | {"name": 5}, "in its spec: name 5: want 1 to 200"),
        (SPEC | {"name": "a\nb"}, r"in its spec: name 'a\\nb': want 1 to 200"),
        (SPEC | {"max_retries": "5"}, "in its spec: max_retries '5': want a whole number"),
        (SPEC | {"max_retries": 2.5}, "in its spec: max_retries 2.5: want a whole number"),
        (SPEC | {"timeout_seconds": "1m"}, "in its spec: timeout_seconds '1m': want seconds"),
        (SPEC | {"retry": []}, r"in its spec: retry \[\]: want 1 to 1,000 delays"),
        (SPEC | {"retry": [0] * 1001}, "in its spec: retry .*: want 1 to 1,000 delays"),
        (SPEC | {"retry": [1, "2"]}, "in its spec: retry, delay '2': want seconds"),
        (SPEC | {"retry": [True]}, "in its spec: retry, delay True: want seconds"),
        (SPEC | {"retry": 5}, r"in its spec: retry 5: want Retry\(…\) or a list of delays"),
        (SPEC | {"retry": {"base": 1}}, r"in its spec: retry \{'base': 1\}: want Retry"),
        (SPEC | {"retry": {"base_seconds": -1}}, "in its spec: retry, base_seconds -1: want seconds"),
        (SPEC | {"retry": {"cap_seconds": None}}, "in its spec: retry, cap_seconds None: want seconds"),
        (SPEC | {"retry": {"factor": 0.9}}, "in its spec: retry, factor 0.9: want a number from 1 to 1,000"),
        (SPEC | {"retry": {"jitter": 1.1}}, "in its spec: retry, jitter 1.1: want a number from 0 to 1"),
        (SPEC | {"on_lost": "die"}, 'in its spec: on_lost \'die\': want "retry", or "dead"'),
        (SPEC | {"on_lost": True}, "in its spec: on_lost True: want"),
        (SPEC | {"timeout_seconds": -1}, "in its spec: timeout_seconds -1: want seconds"),
    ],
)
def test_a_spec_that_cannot_be_run_is_refused_with_the_reason(spec, reason):
    with pytest.raises(InvalidJob, match=f"^{reason}"):
        record.check_spec(spec)


def test_a_reader_accepts_every_version_up_to_its_own(monkeypatch):
    monkeypatch.setattr(record, "SPEC_VERSION", 3)
    for version in (1, 2, 3):
        record.check_spec(SPEC | {"v": version})
    with pytest.raises(InvalidJob, match="version 4, this bananasd reads up to 3"):
        record.check_spec(SPEC | {"v": 4})
