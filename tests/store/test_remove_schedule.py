"""remove_schedule: remove a schedule, whoever has put it."""


def test_a_schedule_and_its_last_slot_are_gone_and_schedulers_learn_of_it(world):
    world.plan(-1)
    world.take_tokens()
    version = world.schedules.read().version
    assert world.schedules.remove("hourly")
    reading = world.schedules.read()
    assert reading.entries == []
    assert reading.version != version
    assert world.last() is None
    assert world.call("LLEN", world.keys.wake_scheduled) == 1


def test_where_there_is_none_nothing_changes(world):
    world.plan(-1)
    world.take_tokens()
    before = world.dump()
    assert not world.schedules.remove("other")
    assert world.dump() == before


def test_a_removed_schedule_does_not_fire(world):
    slot = world.plan(-1)
    world.schedules.remove("hourly")
    assert world.fire(slot) == ["changed"]
    assert world.ready() == []


def test_one_that_is_put_again_makes_no_second_job_of_a_slot(world):
    slot = world.plan(-1)
    world.fire(slot)
    world.schedules.remove("hourly")
    world.schedules.put("client", {"hourly": slot.definition})
    assert world.fire(slot) == ["known"]
    assert world.ready() == [slot.job_id]
