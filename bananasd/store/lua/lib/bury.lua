-- Putting a job into the dead letters. Its record stays until it is retried, purged or trimmed.
local function bury(prefix, id, now, reason)
  redis.call('HSET', prefix .. 'job:' .. id, 'status', 'failed', 'error', reason, 'finished_at', now, 'updated_at', now)
  redis.call('HDEL', prefix .. 'job:' .. id, 'holder')
  redis.call('ZADD', prefix .. 'dead', now, id)
  redis.call('HINCRBY', prefix .. 'stats', 'dead', 1)
end

-- The same for an id whose record is missing or is no record: a stub with the reason stands in for it.
local function bury_unreadable(prefix, lane, id, now, reason)
  local job = prefix .. 'job:' .. id
  if redis.call('TYPE', job).ok ~= 'hash' then redis.call('DEL', job) end
  redis.call('HSETNX', job, 'lane', lane)
  redis.call('PERSIST', job)
  bury(prefix, id, now, reason)
end
