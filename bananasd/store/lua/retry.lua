-- retry: settle a run that failed and has tries left; it comes back after a delay, unless it has been told to end.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep a cancelled job   4 id   5 run   6 delay in ms   7 error
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include schedule
--!include own
--!include ends
--!include cancelled
local prefix, id = ARGV[1], ARGV[4]
local attempts, _, waiters, unique, cancel = take_from_holder(prefix, ARGV[2], id, ARGV[5])
if not attempts then return { id } end
local job, now = prefix .. 'job:' .. id, now_ms()
if cancel then
  end_as_cancelled(prefix, id, now, ARGV[3], { waiters = waiters, unique = unique })
  return {}
end
local due_at = now + tonumber(ARGV[6])
redis.call('HDEL', job, 'holder')
redis.call('HSET', job, 'status', 'scheduled', 'attempts', attempts + 1, 'due_at', due_at, 'updated_at', now,
  'error', ARGV[7])
schedule(prefix, id, due_at)
redis.call('HINCRBY', prefix .. 'stats', 'retried', 1)
tell_change(prefix, id, waiters)
return {}
