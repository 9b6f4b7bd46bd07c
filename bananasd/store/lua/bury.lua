-- bury: settle a run that failed for good; the job goes to the dead letters.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep the failure for those who wait   4 id   5 run   6 error
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
--!include ends
--!include bury
local prefix, id = ARGV[1], ARGV[4]
local own = take_from_holder(prefix, ARGV[2], id, ARGV[5])
if not own then return { id } end
redis.call('HSET', prefix .. 'job:' .. id, 'attempts', own.attempts + 1)
bury(prefix, id, now_ms(), ARGV[6], own, ARGV[3])
return {}
