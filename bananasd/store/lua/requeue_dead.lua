-- requeue_dead: bring dead jobs back to the end of their lanes with attempts and recoveries at zero, to wait no longer than
-- when they were new. Never the run: a worker that was cut off must not be able to settle the new life of its old job.
--
-- KEYS  1 dead
-- ARGV  1 key prefix   2.. ids
-- Returns the ids that were brought back; the others are not dead, or have no spec to run.
--!include now
--!include lanes
--!include expiry
local prefix, now, back = ARGV[1], now_ms(), {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local job = prefix .. 'job:' .. id
  local f = redis.call('HMGET', job, 'status', 'lane', 'spec', 'expires_in')
  if f[1] == 'failed' and f[2] and f[3] and redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('HDEL', job, 'attempts', 'recoveries', 'finished_at', 'progress', 'has_result', 'waiters')
    redis.call('HSET', job, 'status', 'pending', 'updated_at', now)
    local expires_in = tonumber(f[4])
    if expires_in then limit_wait(job, expires_in, now) end
    to_back(prefix, f[2], id)
    back[#back + 1] = id
  end
end
return back
