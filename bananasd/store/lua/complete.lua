-- complete: settle runs that succeeded. A job that has been told to end is cancelled all the same.
--
-- KEYS  1 held list of the holder
-- ARGV  1 key prefix   2 holder   3 ms to keep a completed or cancelled job   4 ms to keep a result
--       5.. triples of id, run, result ("" for none)
-- Returns the ids that were refused: their job is no longer held under that run.
--!include now
--!include own
local held, prefix, holder, keep, keep_result = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, refused, completed, n = now_ms(), {}, 0, (#ARGV - 4) / 3

-- Nearly always these are the first runs that the holder holds, in their order: then one command takes them all.
local runs, first = {}, n > 1 and redis.call('LRANGE', held, 0, n - 1)
for i = 1, n do
  local id, run = ARGV[3 * i + 2], ARGV[3 * i + 3]
  runs[i] = read_run(prefix, id)
  first = first and first[i] == id and is_own(runs[i], holder, run) and first
end
if first then redis.call('LTRIM', held, n, -1) end

for i = 1, n do
  local id, run, result, f = ARGV[3 * i + 2], ARGV[3 * i + 3], ARGV[3 * i + 4], runs[i]
  if not first and not (is_own(f, holder, run) and redis.call('LREM', held, 1, id) == 1) then
    refused[#refused + 1] = id
  elseif f[8] then
    --!include ends
    --!include cancelled
    end_as_cancelled(prefix, id, now, keep, { waiters = f[6], unique = f[7] })
  else
    local job, attempts = prefix .. 'job:' .. id, (tonumber(f[4] or '0') or 0) + 1
    if result == '' then
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts, 'finished_at', now)
    else
      redis.call('HSET', job, 'status', 'completed', 'attempts', attempts, 'finished_at', now, 'has_result', 1)
      redis.call('SET', prefix .. 'result:' .. id, result, 'PX', keep_result)
    end
    redis.call('PEXPIRE', job, keep)
    completed = completed + 1
    if f[6] or f[7] then
      --!include ends
      note_end(prefix, id, { waiters = f[6], unique = f[7] })
    end
  end
end
if completed > 0 then redis.call('HINCRBY', prefix .. 'stats', 'completed', completed) end
return refused
