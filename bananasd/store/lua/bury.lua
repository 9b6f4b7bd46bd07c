-- bury: settle a run that failed for good; the job goes to the dead letters, or is cancelled if it has been told to end.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep the failure for those who wait   4 ms to keep a cancelled job
--       5 id   6 run   7 error
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
--!include ends
--!include bury
--!include cancelled
local prefix, id = ARGV[1], ARGV[5]
local attempts, _, waiters, unique, cancel = take_from_holder(prefix, ARGV[2], id, ARGV[6])
if not attempts then return { id } end
local others = { waiters = waiters, unique = unique }
if cancel then
  end_as_cancelled(prefix, id, now_ms(), ARGV[4], others)
  return {}
end
redis.call('HSET', prefix .. 'job:' .. id, 'attempts', attempts + 1)
bury(prefix, id, now_ms(), ARGV[7], others, ARGV[3])
return {}
