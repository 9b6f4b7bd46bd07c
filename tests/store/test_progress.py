"""progress: keep how far a running job is."""

import pytest

from tests.store.conftest import HOLDER, STALE


def test_the_progress_of_a_run_stands_in_its_record(world):
    (job_id,) = world.start()
    for progress in (b'{"done":1}', b'{"done":2}'):
        assert world.store.progress(HOLDER, job_id, 1, progress)
        assert world.record(job_id)["progress"] == progress.decode()
    assert int(world.record(job_id)["updated_at"]) <= world.now()


# It reads the record alone: the held list decides about settling, and nothing hangs on a progress.
@pytest.mark.parametrize("stale", [case for case in STALE if case != "not on the held list"], indirect=True)
def test_it_changes_nothing_for_a_run_that_is_over(world, stale):
    before = world.dump()
    assert not world.store.progress(*stale, b'{"done":2}')
    assert world.dump() == before
