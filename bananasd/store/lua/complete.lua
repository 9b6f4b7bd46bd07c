-- complete: settle runs that succeeded.
--
-- KEYS  1 held list of the holder (routes the call)
-- ARGV  1 key prefix   2 holder   3 ms to keep a completed job   4.. triples of id, run, result ("" for none)
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
local prefix, holder, keep = ARGV[1], ARGV[2], ARGV[3]
local now, refused, completed = now_ms(), {}, 0
for i = 4, #ARGV, 3 do
  local id, result = ARGV[i], ARGV[i + 2]
  local attempts = take_from_holder(prefix, holder, id, ARGV[i + 1])
  if attempts then
    local job = prefix .. 'job:' .. id
    if result == '' then
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts + 1, 'finished_at', now)
    else
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts + 1, 'finished_at', now, 'result', result)
    end
    redis.call('PEXPIRE', job, keep)
    completed = completed + 1
  else
    refused[#refused + 1] = id
  end
end
if completed > 0 then redis.call('HINCRBY', prefix .. 'stats', 'completed', completed) end
return refused
