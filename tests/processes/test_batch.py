"""How many jobs are claimed at once."""

import pytest

from bananasd.processes.batch import MAX_BATCH, BatchSize


def test_the_first_batch_is_one_job_since_nothing_is_known():
    assert BatchSize().jobs == 1


@pytest.mark.parametrize(
    ("mean_seconds", "jobs"),
    [(1000, 1), (0.011, 1), (0.010, 1), (0.0049, 2), (0.001, 10), (0.0001, MAX_BATCH), (0, MAX_BATCH)],
)
def test_a_batch_fits_into_ten_milliseconds(mean_seconds, jobs):
    assert BatchSize(mean_seconds).jobs == jobs


def test_tiny_jobs_come_in_full_batches_after_a_few():
    batch = BatchSize()
    for _ in range(20):
        batch.note(batch.jobs, batch.jobs * 0.00005)
    assert batch.jobs == MAX_BATCH


def test_after_one_long_job_the_next_is_claimed_alone():
    batch = BatchSize(0.00005)
    batch.note(3, 0.5)
    assert batch.jobs == 1
