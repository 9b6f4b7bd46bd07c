-- The yardstick's complete: end runs that are still those of their holder.
--
-- KEYS  1 held list   2 counters
-- ARGV  1 prefix of records   2 seconds to keep them   3 holder   4.. pairs of id, run
-- Returns the ids that were refused.
local held, prefix, keep, holder = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local refused, done = {}, 0
for i = 4, #ARGV, 2 do
  local id, run = ARGV[i], ARGV[i + 1]
  local job = prefix .. id
  local record = redis.call('HMGET', job, 'status', 'run', 'holder')
  if record[1] == 'processing' and record[2] == run and record[3] == holder and redis.call('LREM', held, 1, id) == 1 then
    redis.call('HSET', job, 'status', 'completed', 'finished_at', now)
    redis.call('EXPIRE', job, keep)
    done = done + 1
  else
    refused[#refused + 1] = id
  end
end
if done > 0 then redis.call('HINCRBY', KEYS[2], 'completed', done) end
return refused
