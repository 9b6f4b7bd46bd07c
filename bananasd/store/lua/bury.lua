-- bury: settle a run that failed for good; the job goes to the dead letters.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 id   4 run   5 error
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
--!include bury
local prefix, id = ARGV[1], ARGV[3]
local attempts = take_from_holder(prefix, ARGV[2], id, ARGV[4])
if not attempts then return { id } end
redis.call('HSET', prefix .. 'job:' .. id, 'attempts', attempts + 1)
bury(prefix, id, now_ms(), ARGV[5])
return {}
