"""The samples: what users copy had better be right."""

import time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from bananasd import GiveUp, Job
from bananasd.handlers import HandlerSpec, Registry, load_directory

RIGHT: dict[str, Any] = {
    "user_signup": {"email": "Ada@example.org"},
    "send_welcome_email": {"to": "ada@example.org"},
    "data_processing": {"dataset": "signups"},
}


class Watcher:
    """Stands where a worker would: notes what the job reports."""

    def __init__(self) -> None:
        self.reports: list[Any] = []

    def set_progress(self, job: Job, progress: bytes) -> None:
        self.reports.append(orjson.loads(progress))

    def should_stop(self, job: Job) -> bool:
        return False


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a handler would have slept."""
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


@cache
def samples() -> Registry:
    return load_directory(Path(str(files("bananasd.samples"))))


def sample(name: str) -> HandlerSpec:
    spec = samples().get(name)
    assert spec is not None
    return spec


def job_for(name: str, payload: Any) -> Job:
    return Job("0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55", {"name": name, "payload": payload}, "default:normal")


def test_the_package_and_the_folder_to_copy_are_the_same_files() -> None:
    folder = Path(__file__).parents[2] / "handlers"
    assert [Path(sample(name).file).resolve() for name in sorted(RIGHT)] == [
        folder / f"{name}.py" for name in sorted(RIGHT)
    ]


def test_there_is_a_sample_for_each_kind_of_job() -> None:
    assert samples().names() == sorted(RIGHT)


@pytest.mark.parametrize(
    ("name", "result", "seconds"),
    [
        ("user_signup", {"email": "ada@example.org", "user_id": "9262b79c-f2da-5326-bb75-7eabd169084d"}, 1),
        ("send_welcome_email", {"sent_to": "ada@example.org"}, 0.5),
        ("data_processing", {"dataset": "signups", "steps": 5}, 2.5),
    ],
)
def test_a_right_payload_brings_a_small_result(
    name: str, result: dict[str, Any], seconds: float, naps: list[float]
) -> None:
    assert sample(name).function(job_for(name, RIGHT[name])) == result
    assert sum(naps) == seconds


@pytest.mark.parametrize("payload", [None, "ada@example.org", [], {}, {"email": 5, "to": 5, "dataset": 5}, {"email": "ada", "to": "ada", "dataset": ""}])  # fmt: skip
@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_wrong_payload_is_given_up_with_what_would_be_right(
    name: str, payload: Any, naps: list[float]
) -> None:
    [key] = RIGHT[name]
    with pytest.raises(GiveUp) as caught:
        sample(name).function(job_for(name, payload))
    assert f'{{"{key}": ' in str(caught.value)
    assert "5" not in str(caught.value)  # the text of a failure is logged, which no payload may be
    assert not naps


def test_the_same_person_gets_the_same_account(naps: list[float]) -> None:
    accounts = {
        sample("user_signup").function(job_for("user_signup", {"email": email}))["user_id"]
        for email in ("ada@example.org", "Ada@Example.org", "bob@example.org")
    }
    assert len(accounts) == 2


def test_data_processing_reports_each_of_its_five_steps(naps: list[float]) -> None:
    job, watcher = job_for("data_processing", RIGHT["data_processing"]), Watcher()
    job.bind(watcher)
    sample("data_processing").function(job)
    assert [(report["done"], report["total"]) for report in watcher.reports] == [(n, 5) for n in range(1, 6)]
    assert all(report["note"] for report in watcher.reports)
    assert naps == [0.5] * 5
