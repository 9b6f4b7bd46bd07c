-- complete: settle runs that succeeded. A job that has been told to end is cancelled all the same.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep a completed or cancelled job   4 ms to keep a result
--       5.. triples of id, run, result ("" for none)
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
local prefix, holder, keep, keep_result = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, refused, completed = now_ms(), {}, 0
for i = 5, #ARGV, 3 do
  local id, result = ARGV[i], ARGV[i + 2]
  local attempts, _, waiters, unique, cancel = take_from_holder(prefix, holder, id, ARGV[i + 1])
  if cancel then
    --!include ends
    --!include cancelled
    end_as_cancelled(prefix, id, now, keep, { waiters = waiters, unique = unique })
  elseif attempts then
    local job = prefix .. 'job:' .. id
    if result == '' then
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts + 1, 'finished_at', now)
    else
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts + 1, 'finished_at', now, 'has_result', 1)
      redis.call('SET', prefix .. 'result:' .. id, result, 'PX', keep_result)
    end
    redis.call('PEXPIRE', job, keep)
    completed = completed + 1
    if waiters or unique then
      --!include ends
      note_end(prefix, id, { waiters = waiters, unique = unique })
    end
  else
    refused[#refused + 1] = id
  end
end
if completed > 0 then redis.call('HINCRBY', prefix .. 'stats', 'completed', completed) end
return refused
