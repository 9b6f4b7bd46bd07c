-- release: put jobs that did not start, or were interrupted by a drain, back to the front of their lanes in the order in
-- which they are given; nothing is counted against them. One that has been told to end is cancelled.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep a cancelled job   4.. pairs of id, run
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include lanes
--!include own
--!include ends
--!include cancelled
local prefix, holder = ARGV[1], ARGV[2]
local now, refused = now_ms(), {}
for i = #ARGV - 1, 4, -2 do
  local id = ARGV[i]
  local attempts, lane, waiters, unique, cancel = take_from_holder(prefix, holder, id, ARGV[i + 1])
  if cancel then
    end_as_cancelled(prefix, id, now, ARGV[3], { waiters = waiters, unique = unique })
  elseif attempts then
    local job = prefix .. 'job:' .. id
    redis.call('HDEL', job, 'holder')
    redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
    to_lane(prefix, lane, 'LPUSH', id)
    tell_change(prefix, id, waiters)
  else
    refused[#refused + 1] = id
  end
end
return refused
